"""One iteration: from a candidate to a judged pull request and a row on the scoreboard."""
