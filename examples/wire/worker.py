"""A worker on RabbitMQ, with pika (Debian: python3-pika).

python3 worker.py amqp://guest:guest@127.0.0.1:5672/ PURPOSE
"""
import json
import os
import signal
import sys
import time
import uuid

import pika

url, purpose = sys.argv[1:]
worker = f"{purpose}-{uuid.uuid4().hex[:20]}@{os.uname().nodename}"
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.exchange_declare("owtRpc", "direct", auto_delete=True)
channel.queue_declare(worker, auto_delete=True)
channel.queue_bind(worker, "owtRpc", worker)
replies = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(replies, "owtRpc", replies)
answers, ended = {}, []


def start(task):
    cast("pickUpTasks", worker, [task])
    return f"running {task}"


def stop(task):
    cast("layDownTask", worker, task)
    return "ok"


methods = {"start": start, "stop": stop}


def publish(to, body):
    channel.basic_publish("owtRpc", to, json.dumps(body))


def cast(method, *args):
    publish("owt-cluster", {"method": method, "args": args})


def call(method, *args):
    number = time.monotonic_ns()
    publish("owt-cluster", {"method": method, "args": args, "corrID": number, "replyTo": replies})
    deadline = time.monotonic() + 2
    while number not in answers and time.monotonic() < deadline:
        connection.process_data_events(0.1)
    answer = answers.pop(number, {"data": "error", "err": "no answer"})
    if answer["data"] == "error":
        raise RuntimeError(answer["err"])
    return answer["data"]


def requested(_channel, _method, _properties, body):
    request = json.loads(body)
    if "replyTo" not in request:
        return
    answer = {"corrID": request["corrID"], "type": "callback"}
    if request["method"] in methods:
        answer["data"] = methods[request["method"]](*request["args"])
    else:
        answer.update(data="error", err="Not support method")
    publish(request["replyTo"], answer)


def answered(_channel, _method, _properties, body):
    answer = json.loads(body)
    answers[answer["corrID"]] = answer


def join():
    info = {"purpose": purpose, "ip": "127.0.0.1", "state": 2, "maxLoad": 0.85, "capacity": {"isps": [], "regions": []}}
    call("join", purpose, worker, info)


channel.basic_consume(worker, requested, auto_ack=True)
channel.basic_consume(replies, answered, auto_ack=True)
signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
join()
cast("reportLoad", worker, 0)  # without a load it gets no task
call("keepAlive", worker)  # answered after what came before it
print(worker, flush=True)
while not ended:
    try:
        if call("keepAlive", worker) == "whoareyou":
            join()
    except RuntimeError as err:
        print(err, file=sys.stderr)
    cast("reportLoad", worker, min(os.getloadavg()[0] / os.cpu_count(), 1))
    connection.process_data_events(0.8)
cast("quit", worker)
connection.close()
