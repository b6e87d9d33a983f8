"""The report as a reader has it: in a real browser, wide and narrow, with a mouse and without."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.waiting import until
from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.test_language import ARABIC
from tests.worker_plan.whole_plan import put_what_is_read
from worker_plan.markdown import document, gaps, table
from worker_plan.steps.report import Report

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
DESK = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
HOSTILE = "</script><script>ran = 1</script><img src=x onerror='ran = 2'><svg onload='ran = 3'>"
WORK = f"""\
Level 1;Level 2;Level 3;Task ID
Bakery;;;t1
;"Hull {HOSTILE}";;t2
;;Oven;t3
"""
SCHEDULE = f"""\
project_key,project_name,project_description,project_start_date,project_end_date,project_progress,project_parent,originating_department,depends_on,critical,notes
t1,Bakery {HOSTILE},{HOSTILE},3/2/2026,3/20/2026,0,,x,,,
t2,Hull,,3/2/2026,3/12/2026,0,t1,x,,yes,
t3,"خبز & 猫",Hot,3/12/2026,3/20/2026,0,t1,x,t2,no,
"""
AUDIT = document([
    "# Self-audit", "", *gaps(["Law"]),
    *table(["Check", "Score"], [["b", 10], ["a", 9], ["c", 100], ["none", "–"]]),
    "", HOSTILE, "", "[x](javascript:ran=4) ![y](https://example.org/y.png) [z](https://example.org)",
    *table([f"Column {n}" for n in range(12)], [[f"{'long ' * 9}{'m' * 30}"] * 12]),
    "", "unbroken" * 300,
])  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """Return a headless Chromium that notes its console and its requests."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip("Chromium is not there: apt-get install -y chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def opened(browser: Chrome, tmp_path: Path) -> Iterator[Callable[..., Chrome]]:
    """Return what opens the report of a plan; at the end nothing may have gone wrong in it."""

    def report(size: dict[str, Any] = DESK, plan: str = f"A boat. {HOSTILE}") -> Chrome:
        texts = {"work_breakdown": WORK, "create_schedule": SCHEDULE, "self_audit": AUDIT}
        put_what_is_read(Report, tmp_path, plan=plan, level1=f"Boat {HOSTILE}", **texts)
        carry_out(Report(run_dir=str(tmp_path)), Scripted(lambda _: None))
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.get("about:blank")
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        browser.get((tmp_path / Report.page.name).as_uri())
        return browser

    yield report
    assert browser.execute_script("return typeof ran") == "undefined"
    assert browser.get_log("browser") == []
    events = [json.loads(row["message"])["message"] for row in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"].endswith("WillBeSent")]
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def by_id(page: Chrome, name: str) -> WebElement:
    """Return an element."""
    return page.find_element(By.ID, name)


def is_open(part: WebElement) -> bool:
    """Tell whether a part is open."""
    return part.get_attribute("open") is not None


def soon(condition: Callable[[], Any]) -> Any:
    """Wait for a condition, and return what it gives."""
    until(condition)
    return condition()


def test_contents_lead_to_every_part(opened: Callable[..., Chrome]) -> None:
    """A click on an entry opens its part and brings it into view."""
    page = opened()
    links = page.find_elements(By.CSS_SELECTOR, "nav a")
    assert len(links) == 22
    for link in links:
        part = by_id(page, (link.get_attribute("href") or "").split("#")[1])
        page.execute_script("arguments[0].click()", link)
        soon(lambda part=part: is_open(part))
        top = page.execute_script("return arguments[0].getBoundingClientRect().top", part)
        assert top < DESK["height"] - 50
    assert by_id(page, "self-audit").find_element(By.CSS_SELECTOR, ".body").is_displayed()


def test_gap_at_the_top_leads_to_its_note(opened: Callable[..., Chrome]) -> None:
    """What is missing is counted, and one click away."""
    page = opened()
    box = page.find_element(By.CSS_SELECTOR, "aside.gaps")
    assert "1 gap in this plan." in box.text
    assert "Law" in box.text
    box.find_element(By.TAG_NAME, "a").click()
    note = soon(lambda: page.find_element(By.CSS_SELECTOR, "#self-audit blockquote.incomplete"))
    assert note.is_displayed()


def test_parts_open_and_close(opened: Callable[..., Chrome]) -> None:
    """One by one with the mouse or a key, and all at once."""
    page = opened()
    team = by_id(page, "team")
    summary = team.find_element(By.TAG_NAME, "summary")
    assert not is_open(team)
    summary.click()
    assert is_open(team)
    assert "Text of team." in team.text
    summary.send_keys(Keys.ENTER)
    assert not is_open(team)
    parts = page.find_elements(By.CSS_SELECTOR, "details.part")
    for action, expected in (("open", True), ("close", False)):
        page.find_element(By.CSS_SELECTOR, f"button[data-wish={action}]").click()
        assert {is_open(part) for part in parts} == {expected}


def test_tables_are_sorted_by_click_and_by_key(opened: Callable[..., Chrome]) -> None:
    """Numbers by size, what is not known last; the third time the order is the first one again."""
    page = opened()
    page.execute_script("document.getElementById('self-audit').open = true")
    shown = page.find_element(By.CSS_SELECTOR, "#self-audit table")

    def column(number: int) -> list[str]:
        cells = shown.find_elements(By.CSS_SELECTOR, f"tbody td:nth-child({number})")
        return [cell.text for cell in cells]

    check, score = shown.find_elements(By.CSS_SELECTOR, "th button")
    heads = shown.find_elements(By.TAG_NAME, "th")
    score.click()
    assert column(2) == ["9", "10", "100", "–"]
    assert [head.get_attribute("aria-sort") for head in heads] == ["none", "ascending"]
    score.send_keys(Keys.ENTER)
    assert column(2) == ["100", "10", "9", "–"]
    score.send_keys(Keys.SPACE)
    assert column(1) == ["b", "a", "c", "none"]
    check.click()
    assert column(1) == ["a", "b", "c", "none"]


def test_chart_is_drawn(opened: Callable[..., Chrome]) -> None:
    """Every task has a bar with its name, whatever the name is."""
    page = opened()
    page.find_element(By.CSS_SELECTOR, 'nav a[href="#schedule"]').click()
    bars = soon(lambda: page.find_elements(By.CSS_SELECTOR, "#schedule svg .bar-wrapper .bar"))
    assert len(bars) == 3
    assert all(float(bar.get_attribute("width") or 0) > 0 for bar in bars)
    labels = page.find_elements(By.CSS_SELECTOR, "#schedule svg .bar-label")
    names = [label.get_attribute("textContent") for label in labels]
    assert names == [f"Bakery {HOSTILE}", "Hull", "خبز & 猫"]
    labels[0].click()
    popup = soon(lambda: page.find_element(By.CSS_SELECTOR, "#schedule .popup-wrapper").text)
    assert popup.count(HOSTILE) == 2


@pytest.mark.parametrize("plan", ["A boat.", ARABIC], ids=["left to right", "right to left"])
def test_nothing_scrolls_sideways_on_a_phone(opened: Callable[..., Chrome], plan: str) -> None:
    """Neither closed nor with every part open: wide tables scroll by themselves."""
    page = opened(PHONE, plan)
    page.find_element(By.CSS_SELECTOR, "button[data-wish=open]").click()
    wide = page.find_element(By.CSS_SELECTOR, "#self-audit .scroll:last-of-type")
    inner, outer = page.execute_script(
        "return [arguments[0].scrollWidth, arguments[0].clientWidth]", wide
    )
    assert inner > outer
    page.execute_script("arguments[0].scrollIntoView()", by_id(page, "schedule"))
    soon(lambda: page.find_elements(By.CSS_SELECTOR, "#schedule svg .bar"))
    width, x = page.execute_script(
        "scrollTo(500, 0); return [document.documentElement.scrollWidth, scrollX]"
    )
    assert (width, x) == (PHONE["width"], 0)


def test_contents_fold_on_a_phone(opened: Callable[..., Chrome]) -> None:
    """They are out of the way until wanted, and again once they were used."""
    page = opened(PHONE)
    contents = page.find_element(By.CSS_SELECTOR, "details.contents")
    assert not is_open(contents)
    contents.find_element(By.TAG_NAME, "summary").click()
    contents.find_element(By.CSS_SELECTOR, 'a[href="#premortem"]').click()
    soon(lambda: is_open(by_id(page, "premortem")))
    assert not is_open(contents)


def test_closed_parts_are_printed(opened: Callable[..., Chrome]) -> None:
    """On paper every part is open and nothing is left that only a screen can use."""
    page = opened()
    body = by_id(page, "swot").find_element(By.CSS_SELECTOR, ".body")
    assert not body.is_displayed()
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert page.execute_script("return arguments[0].checkVisibility()", body)
    assert page.execute_script("return arguments[0].getBoundingClientRect().height", body) > 10
    assert not page.find_element(By.TAG_NAME, "nav").is_displayed()
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert is_open(by_id(page, "swot"))
    page.execute_script("dispatchEvent(new Event('afterprint'))")
    assert not is_open(by_id(page, "swot"))


@pytest.mark.parametrize(
    ("plan", "direction", "side"), [("A boat.", "ltr", "left"), (ARABIC, "rtl", "right")]
)
def test_page_runs_in_the_direction_of_the_plan(
    opened: Callable[..., Chrome], plan: str, direction: str, side: str
) -> None:
    """Contents stand where the page begins."""
    page = opened(plan=plan)
    nav, main = (page.find_element(By.TAG_NAME, name).rect["x"] for name in ("nav", "main"))
    assert page.execute_script("return getComputedStyle(document.body).direction") == direction
    assert (nav < main) == (side == "left")


def test_dark_is_dark(opened: Callable[..., Chrome]) -> None:
    """The page follows what the reader's system prefers."""
    page = opened()

    def lightness() -> float:
        colours = page.execute_script(
            "return getComputedStyle(document.documentElement).backgroundColor"
        )
        return sum(map(int, colours[4:-1].split(",")))

    assert lightness() > 600
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [dark]})
    assert lightness() < 150
