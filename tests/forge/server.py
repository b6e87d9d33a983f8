"""A GitHub on loopback that keeps state: pull requests, comments, labels, statuses, and git."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

TOKEN = "ghp_loopbackTokenThatMustNeverBeSeen"
WHEN = "2026-05-06T07:08:09Z"


@dataclass(kw_only=True)
class Fault:
    """What happens to the next requests whose method and path match."""

    where: str = ""
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay: float = 0
    times: int = 1
    drop: bool = False
    after: bool = False  # The work is done, and only the answer is lost.


@dataclass
class Repo:
    """One repository: its bare git, and what GitHub keeps beside it."""

    name: str
    bare: Path
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    login: str | None = "plumbline-bot"  # None: the token belongs to an app.
    page: int = 100

    def git(self, *words: str) -> str | None:
        """Run git in the bare repository; None if it refuses."""
        done = subprocess.run(
            ["git", "-C", str(self.bare), "-c", "user.name=G", "-c", "user.email=g@g", *words],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip() if done.returncode == 0 else None

    def tip(self, branch: str) -> str | None:
        """Return the commit of a branch."""
        return self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")

    def refresh(self, pull: dict[str, Any]) -> dict[str, Any]:
        """Let an open pull request follow its branch, as GitHub does."""
        if pull["state"] == "open" and pull["source"] == self.name:
            tip = self.tip(pull["branch"])
            if tip is None:
                pull["state"] = "closed"
            else:
                pull["sha"] = tip
                self.git("update-ref", f"refs/pull/{pull['number']}/head", tip)
        return pull


class Server:
    """The loopback server, in a thread of its own. `public` is its address as clients see it."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.public = ""
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(60)
        self.address = self.public = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(60)
        self._loop.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run())

    async def _run(self) -> None:
        self._end = asyncio.Event()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._any)
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._end.wait()
        await runner.cleanup()

    async def _any(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        git = re.fullmatch(r"/(\w+/[\w.-]+)\.git(/.*)", path)
        api = re.fullmatch(r"/repos/([\w-]+/[\w.-]+)(/.*)?", path)
        name = (git or api).group(1) if (git or api) else ""  # type: ignore[union-attr]
        repo = self.repos.get(name) or (
            next(reversed(self.repos.values())) if path == "/user" else None
        )
        if repo is None:
            return _error(404, "Not Found")
        repo.requests.append(f"{request.method} {path}")
        fault = self._fault(repo, f"{request.method} {path}")
        if fault and not fault.after:
            return await self._failed(request, fault)
        authorized = request.headers.get("Authorization", "")
        if git:
            expected = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
            if authorized != f"Basic {expected}":
                return web.Response(
                    status=401, headers={"WWW-Authenticate": 'Basic realm="GitHub"'}
                )
            return await _backend(request, repo, git.group(2))
        if authorized not in (f"token {TOKEN}", f"Bearer {TOKEN}"):
            return _error(401, "Bad credentials")
        body = json.loads(await request.read() or b"null")
        answer = self._answer(repo, request, (api and api.group(2)) or path, body)
        if fault:
            return await self._failed(request, fault)
        return answer

    def _fault(self, repo: Repo, what: str) -> Fault | None:
        for fault in repo.faults:
            if fault.times > 0 and re.search(fault.where, what):
                fault.times -= 1
                return fault
        return None

    async def _failed(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        await asyncio.sleep(fault.delay)
        if fault.drop and request.transport is not None:
            request.transport.abort()
        body = fault.body if fault.body is not None else {"message": "Fault"}
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/html" if isinstance(body, str) else "application/json"
        return web.Response(
            status=fault.status, text=text, headers=fault.headers, content_type=kind
        )

    def _answer(self, repo: Repo, request: web.Request, path: str, body: Any) -> web.Response:
        for method, pattern, handler in self._routes():
            match = re.fullmatch(pattern, path)
            if method == request.method and match:
                return handler(repo, request, body, *match.groups())
        return _error(404, "Not Found")

    def _routes(self) -> list[tuple[str, str, Callable[..., web.Response]]]:
        return [
            ("GET", "/user", self._user),
            ("GET", "/pulls", self._pulls),
            ("POST", "/pulls", self._create),
            ("GET", r"/pulls/(\d+)", self._pull),
            ("PATCH", r"/pulls/(\d+)", self._edit),
            ("PUT", r"/pulls/(\d+)/merge", self._merge),
            ("GET", r"/issues/(\d+)/comments", self._comments),
            ("POST", r"/issues/(\d+)/comments", self._comment),
            ("PATCH", r"/issues/comments/(\d+)", self._edit_comment),
            ("POST", r"/issues/(\d+)/labels", self._label),
            ("DELETE", r"/issues/(\d+)/labels/(.+)", self._unlabel),
            ("POST", "/statuses/([0-9a-f]{40})", self._set_status),
            ("GET", "/commits/([0-9a-f]{40})/statuses", self._get_statuses),
        ]

    def _user(self, repo: Repo, request: web.Request, body: Any) -> web.Response:
        if repo.login is None:
            return _error(403, "Resource not accessible by integration")
        return web.json_response(self._person(repo.login))

    def _pulls(self, repo: Repo, request: web.Request, body: Any) -> web.Response:
        owner, _, branch = request.query.get("head", "").partition(":")
        state = request.query.get("state", "open")
        rows = [
            self._shown(repo, pull)
            for pull in sorted(repo.pulls.values(), key=lambda one: -one["number"])
            if not branch or (pull["branch"] == branch and pull["source"].startswith(f"{owner}/"))
        ]
        return self._listed(repo, request, [r for r in rows if state in ("all", r["state"])])

    def _create(self, repo: Repo, request: web.Request, body: Any) -> web.Response:
        head, base = repo.tip(body["head"]), repo.tip(body["base"])
        for name, tip in (("head", head), ("base", base)):
            if tip is None:
                return _invalid({"resource": "PullRequest", "field": name, "code": "invalid"})
        same = [p for p in repo.pulls.values() if p["branch"] == body["head"]]
        if any(repo.refresh(p)["state"] == "open" for p in same):
            return _invalid({"message": "A pull request already exists"})
        if repo.git("rev-list", "--count", f"{base}..{head}") == "0":
            return _invalid({"message": f"No commits between {body['base']} and {body['head']}"})
        return web.json_response(self._shown(repo, self.add(repo, body)), status=201)

    def add(self, repo: Repo, body: dict[str, Any]) -> dict[str, Any]:
        """Add a pull request, of any user."""
        number = len(repo.pulls) + 1
        repo.pulls[number] = pull = {
            "number": number, "title": body["title"], "body": body.get("body"), "state": "open",
            "branch": body["head"], "base": body["base"], "sha": repo.tip(body["head"]),
            "labels": [], "merged_as": None, "source": body.get("source", repo.name),
        }  # fmt: skip
        return pull

    def _pull(self, repo: Repo, request: web.Request, body: Any, number: str) -> web.Response:
        pull = repo.pulls.get(int(number))
        if pull is None:
            return _error(404, "Not Found")
        return web.json_response(self._shown(repo, pull))

    def _edit(self, repo: Repo, request: web.Request, body: Any, number: str) -> web.Response:
        pull = repo.pulls.get(int(number))
        if pull is None:
            return _error(404, "Not Found")
        repo.refresh(pull).update(body)
        return web.json_response(self._shown(repo, pull))

    def _merge(self, repo: Repo, request: web.Request, body: Any, number: str) -> web.Response:
        pull = repo.refresh(repo.pulls[int(number)])
        if pull["state"] != "open":
            return _error(405, "Pull Request is not mergeable")
        if body["sha"] != pull["sha"]:
            return _error(409, "Head branch was modified. Review and try the merge again.")
        base = repo.tip(pull["base"])
        tree = repo.git("merge-tree", "--write-tree", str(base), pull["sha"])
        if tree is None:
            return _error(405, "Pull Request is not mergeable")
        commit = repo.git(
            "commit-tree", tree.split("\n")[0], "-p", str(base), "-p", pull["sha"], "-m", "Merge"
        )
        repo.git("update-ref", f"refs/heads/{pull['base']}", str(commit))
        pull.update(state="closed", merged_as=commit)
        return web.json_response({"sha": commit, "merged": True, "message": "Merged"})

    def _comments(self, repo: Repo, request: web.Request, body: Any, number: str) -> web.Response:
        if int(number) not in repo.pulls:
            return _error(404, "Not Found")
        rows = [c for c in repo.comments if c["number"] == int(number)]
        return self._listed(repo, request, [self._comment_shown(repo, c) for c in rows])

    def _comment(self, repo: Repo, request: web.Request, body: Any, number: str) -> web.Response:
        if int(number) not in repo.pulls:
            return _error(404, "Not Found")
        comment = self.say(repo, int(number), body["body"], repo.login)
        return web.json_response(self._comment_shown(repo, comment), status=201)

    def say(self, repo: Repo, number: int, body: str, login: str | None) -> dict[str, Any]:
        """Add a comment by somebody; None is an app."""
        comment = {"id": len(repo.comments) + 1, "number": number, "body": body, "login": login}
        repo.comments.append(comment)
        return comment

    def _edit_comment(
        self, repo: Repo, request: web.Request, body: Any, comment: str
    ) -> web.Response:
        result = repo.comments[int(comment) - 1]
        result["body"] = body["body"]
        return web.json_response(self._comment_shown(repo, result))

    def _label(self, repo: Repo, request: web.Request, body: Any, number: str) -> web.Response:
        pull = repo.pulls.get(int(number))
        if pull is None:
            return _error(404, "Not Found")
        pull["labels"] += [one for one in body if one not in pull["labels"]]
        return web.json_response([_label(one) for one in pull["labels"]])

    def _unlabel(
        self, repo: Repo, request: web.Request, body: Any, number: str, name: str
    ) -> web.Response:
        pull = repo.pulls[int(number)]
        if name not in pull["labels"]:
            return _error(404, "Label does not exist")
        pull["labels"].remove(name)
        return web.json_response([_label(one) for one in pull["labels"]])

    def _set_status(self, repo: Repo, request: web.Request, body: Any, sha: str) -> web.Response:
        if repo.git("rev-parse", "--verify", "--quiet", f"{sha}^{{commit}}") is None:
            return _invalid({"message": f"No commit found for SHA: {sha}"})
        if len(body["description"]) > 140:
            return _invalid({"message": "description is too long (maximum is 140 characters)"})
        repo.statuses.append({"sha": sha, **body})
        return web.json_response(_status(repo.statuses[-1]), status=201)

    def _get_statuses(self, repo: Repo, request: web.Request, body: Any, sha: str) -> web.Response:
        rows = [_status(one) for one in reversed(repo.statuses) if one["sha"] == sha]
        return self._listed(repo, request, rows)

    def _listed(self, repo: Repo, request: web.Request, rows: list[Any]) -> web.Response:
        """Answer a page of rows, with the address of the next."""
        size = min(repo.page, int(request.query.get("per_page", "30")))
        page = int(request.query.get("page", "1"))
        headers = {}
        if page * size < len(rows):
            query = "&".join(
                f"{k}={v}" for k, v in {**request.query, "page": str(page + 1)}.items()
            )
            headers["Link"] = f'<{self.public}{request.path}?{query}>; rel="next"'
        return web.json_response(rows[(page - 1) * size : page * size], headers=headers)

    def _person(self, login: str | None) -> dict[str, Any]:
        name, kind = (login, "User") if login else ("some-app[bot]", "Bot")
        return {"login": name, "id": 1, "type": kind, "url": f"{self.public}/users/{name}"}

    def _shown(self, repo: Repo, pull: dict[str, Any]) -> dict[str, Any]:
        repo.refresh(pull)
        number, source = pull["number"], pull["source"]
        merged = pull["merged_as"]
        return {
            "url": f"{self.public}/repos/{repo.name}/pulls/{number}",
            "html_url": f"{self.public}/{repo.name}/pull/{number}",
            "issue_url": f"{self.public}/repos/{repo.name}/issues/{number}",
            "number": number, "title": pull["title"], "body": pull["body"], "state": pull["state"],
            "merged_at": WHEN if merged else None, "merge_commit_sha": merged,
            "labels": [_label(one) for one in pull["labels"]],
            "head": {
                "ref": pull["branch"], "sha": pull["sha"],
                "repo": {"full_name": source} if source else None,
            },
            "base": {"ref": pull["base"], "repo": {"full_name": repo.name}},
        }  # fmt: skip

    def _comment_shown(self, repo: Repo, comment: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": comment["id"], "body": comment["body"], "user": self._person(comment["login"]),
            "url": f"{self.public}/repos/{repo.name}/issues/comments/{comment['id']}",
        }  # fmt: skip


def _label(name: str) -> dict[str, Any]:
    return {"name": name, "color": "ededed"}


def _status(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row.get(key) for key in ("state", "context", "description", "target_url")}


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _invalid(*errors: dict[str, Any]) -> web.Response:
    return web.json_response({"message": "Validation Failed", "errors": list(errors)}, status=422)


async def _backend(request: web.Request, repo: Repo, path: str) -> web.Response:
    """Serve git over HTTP through the program that git ships for it."""
    body = await request.read()
    process = await asyncio.create_subprocess_exec(
        "git", "http-backend", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_PROJECT_ROOT": str(repo.bare),
            "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method, "CONTENT_TYPE": request.content_type,
            "CONTENT_LENGTH": str(len(body)), "REMOTE_USER": "plumbline",
            "HTTP_GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        },
    )  # fmt: skip
    answer, _ = await process.communicate(body)
    head, _, rest = answer.partition(b"\r\n\r\n")
    headers = dict(_headers(head.decode()))
    status = int(headers.pop("Status", "200").split()[0])
    return web.Response(status=status, body=rest, headers=headers)


def _headers(head: str) -> Iterator[tuple[str, str]]:
    for row in head.splitlines():
        name, _, value = row.partition(": ")
        yield name, value
