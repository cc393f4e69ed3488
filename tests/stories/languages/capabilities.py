"""Uses everything that the helper package has."""

import innkeeper
from innkeeper import config, http, kv


class Handler(innkeeper.Handler):
    def run(self, event, data):
        state = kv.open("state")
        state.set("seen", "yes")
        state.set_json("sizes", [1, 2])
        sums = [state.increment("visits"), state.increment("visits", 4)]
        swapped = [state.compare_and_swap("lock", None, "ada"), state.compare_and_swap("lock", None, "bob")]
        sizes = state.update_json("sizes", lambda sizes: sizes + [3])
        state.delete("seen")
        innkeeper.publish("capabilities:used", {"by": innkeeper.execution().task_id})
        url = config.require("url")
        answer = http.post(f"{url}/answer", json={"ask": 1}, headers={"x-one": "1"}, timeout=20).expect_success()
        return {
            "sums": sums,
            "swapped": swapped,
            "sizes": sizes,
            "lock": state.get("lock").decode(),
            "keys": state.list(),
            "some": state.list("l", limit=1),
            "has": ["seen" in state, state.exists("lock")],
            "none": [state.get("seen"), config.get("other", "default")],
            "refused": [refused(lambda: kv.open("theirs")), refused(lambda: innkeeper.publish("a b"))],
            "answer": [answer.status, answer.json(), answer.header("X-Two")],
            "moved": http.get(f"{url}/moved").text,
            "denied": refused(lambda: http.get("http://127.0.0.1:9/")),
            "busy": refused(lambda: http.get(f"{url}/busy").expect_success()),
        }


def refused(work):
    try:
        work()
    except Exception as error:
        after = getattr(error, "after", None)
        return [type(error).__name__, str(error)] + ([after] if after else [])
