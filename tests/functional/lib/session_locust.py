"""The journey of scenarios/session.yaml as a Locust user, for the tests and the bench that set both beside each other.

Environment: SESSION_CSV, the people; SESSION_ENDLESS, they come again, for a run that a time ends. Locust is imported here and
nowhere else: it patches what it finds.
"""
import csv
import itertools
import os

from locust import FastHttpUser, task

with open(os.environ["SESSION_CSV"], newline="", encoding="utf-8") as rows:
    PEOPLE = list(csv.DictReader(rows))
NEXT = itertools.cycle(PEOPLE) if os.environ.get("SESSION_ENDLESS") else iter(PEOPLE)


class Person(FastHttpUser):
    def call(self, method, path, name, code=200, **options):
        with self.client.request(method, path, name=name, catch_response=True, **options) as answer:
            if answer.status_code != code:
                answer.failure(f"status {answer.status_code}")
            return answer

    def checked(self, name, ok):
        """Counted by its name, as a check is."""
        if not ok:
            self.environment.events.request.fire(request_type="CHECK", name=name, response_time=0, response_length=0, exception=AssertionError(name),
                                                 context={})

    @task
    def session(self):
        person = next(NEXT, None)
        if person is None:
            self.stop()
            return
        answer = self.call("POST", "/login", "log in", json={"name": person["name"], "password": person["password"]})
        token = answer.json()["token"]
        self.checked("is logged in", "session" in answer.headers.get("Set-Cookie", "") and token)
        bearer = {"Authorization": "Bearer " + token}
        items = self.call("GET", "/catalog?page=1", "list items", headers=bearer).json()["items"]
        self.checked("has items", len(items) > 2)
        item = items[2]["id"]
        shown = self.call("GET", f"/items/{item}", "show item", headers=bearer).json()
        self.checked("is the item", shown["id"] == item)
        self.checked("has a price", shown["price"] > 0)
        ordered = self.call("POST", "/orders", "order", 201, headers=bearer,
                            json={"item": item, "price": shown["price"], "buyer": person["name"]}).json()
        self.checked("is ordered", ordered["item"] == item)
        self.call("POST", "/logout", "log out", 204, headers=bearer)
