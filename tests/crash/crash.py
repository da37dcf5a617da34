"""`tools/crash --kills N --source mqtt|coap|chain`: kills at random moments under load. `chain` is in chain_kills.py.

mqtt, coap: kills the daemon while readings stream in.
After each kill the ledger must verify from end to end; at the end every reading that was acknowledged must be in the
ledger exactly once. With MQTT that is what the broker took: it keeps what the daemon has not acknowledged, so a reading
that is missing was acknowledged before it was durable. With CoAP it is what the daemon itself answered with 2.04; devices
send the rest again until it is. With --fault ack-early the acknowledgement leaves before the commit: then readings must
be missing, else this test could not fail."""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import paho.mqtt.client

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/integration"))

from coap_peers import Peers, free_udp_port, listen_on_coap, recorded  # noqa: E402
from ward import BUILD, FAULTS_BUILD, Broker, Gateway, program, remove, wait_for  # noqa: E402

DEVICES = 8
COAP_SESSIONS = 200


class MqttLoad(threading.Thread):
    """Publishes readings, each with a time of its own, and remembers those that the broker acknowledged."""

    def __init__(self, port, rate):
        super().__init__(daemon=True)
        self.rate = rate
        self.taken = {}  # packet id -> identity, until it is acknowledged
        self.taken_by_broker = set()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.client = paho.mqtt.client.Client("load")
        self.client.max_inflight_messages_set(500)
        self.client.on_publish = self.on_publish
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def on_publish(self, client, userdata, mid):
        with self.lock:
            identity = self.taken.pop(mid, None)
            if identity is None:
                self.taken[mid] = None  # acknowledged before publish() returned
            else:
                self.taken_by_broker.add(identity)

    def run(self):
        start, base, n = time.monotonic(), int(time.time() * 1e6), 0
        while not self.stopping.is_set():
            due = int((time.monotonic() - start) * self.rate)
            while n < due and not self.stopping.is_set():
                device, t = f"load-{n % DEVICES}", base + n * 100
                payload = json.dumps([{"n": "hr", "u": "beat/min", "v": 60 + n % 40, "t": t / 1e6}])
                mid = self.client.publish(f"ward/{device}/senml", payload, qos=1).mid
                with self.lock:
                    if mid in self.taken:
                        del self.taken[mid]
                        self.taken_by_broker.add((device, t))
                    else:
                        self.taken[mid] = (device, t)
                n += 1
            time.sleep(0.002)

    def stop(self):
        self.stopping.set()
        self.join()
        wait_for("the broker has acknowledged all", lambda: not self.taken)
        self.client.loop_stop()
        self.client.disconnect()

    def acknowledged(self):
        with self.lock:
            return set(self.taken_by_broker)


class MqttWard:
    def __init__(self, folder, options):
        self.broker = Broker(folder / "broker")
        self.broker.start()
        self.gateway = Gateway(folder, self.broker.port, build=FAULTS_BUILD if options.fault else BUILD)
        self.gateway.devices = [f"load-{i}" for i in range(DEVICES)]
        self.rate = options.rate

    def start_load(self):
        self.load = MqttLoad(self.broker.port, self.rate)
        self.load.start()

    def stop_load(self):
        self.load.stop()
        settle(self.gateway)

    def acknowledged(self):
        return self.load.acknowledged()

    def close(self):
        self.broker.stop()


class CoapWard:
    """The load's datagrams are the same over a kill, so a reading that was durable but not answered comes twice."""

    def __init__(self, folder, options):
        self.gateway = Gateway(folder, 1, build=FAULTS_BUILD if options.fault else BUILD)
        self.port = free_udp_port()
        self.options, self.journal, self.load = options, folder / "journal", None
        listen_on_coap(self.gateway, self.port, COAP_SESSIONS)

    def start_load(self):
        self.load = Peers(self.port, COAP_SESSIONS, self.journal, rate=self.options.rate,
                          ack_timeout=0.1)

    def stop_load(self):
        result = self.load.stop(120)
        assert result["refused"] == 0, result
        print(f"{result['retransmitted']} datagrams retransmitted, {result['given_up']} readings sent anew", flush=True)

    def acknowledged(self):
        return self.load.confirmed()

    def close(self):
        if self.load:
            self.load.close()


WARDS = {"mqtt": MqttWard, "coap": CoapWard}


def verify(gateway):
    """The ledger as the kill left it, checked without a daemon."""
    r = subprocess.run([str(program("wardstone", gateway.build)), "verify", "--all", "--config", str(gateway.config_path)],
                       capture_output=True, text=True, timeout=300)
    if r.returncode != 0:
        raise SystemExit(f"the ledger does not verify after a kill:\n{r.stdout}{r.stderr}")


def rounds(ward, options, rng):
    gateway = ward.gateway
    for kill in range(options.kills):
        time.sleep(rng.uniform(0.05, 1.2))
        gateway.process.kill()
        gateway.process.wait(20)
        if not options.fault:
            verify(gateway)
        gateway.start(write=False)
        print(f"kill {kill + 1}/{options.kills}: {len(ward.acknowledged())} readings acknowledged", flush=True)


def settle(gateway):
    """Returns when nothing has come in for a while."""
    last = [None, 0.0]

    def quiet():
        status = gateway.control("status")[0]
        now = (status["sources"][0]["frames"], status["ledger"]["size"])
        if now != last[0]:
            last[0], last[1] = now, time.monotonic()
        return status["sources"][0]["up"] and time.monotonic() - last[1] > 1.5
    wait_for("the backlog is drained", quiet, 120)


def main():
    parser = argparse.ArgumentParser(prog="tools/crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--source", choices=[*WARDS, "chain"], default="mqtt")
    parser.add_argument("--rate", type=float, default=2000, help="readings a second (mqtt, coap)")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--fault", choices=["ack-early", "anchor-save-lost"],
                        help="break the daemon: the test must fail; the first with mqtt and coap, the second with chain")
    options = parser.parse_args()
    if options.fault and (options.fault == "ack-early") != (options.source in WARDS):
        parser.error("--fault does not fit the --source")
    seed = options.seed if options.seed is not None else int(time.time())
    rng = random.Random(seed)
    if options.source == "chain":
        import chain_kills
        sys.exit(chain_kills.run(options.kills, seed, options.fault))
    folder = Path(tempfile.mkdtemp(prefix="ward-crash-", dir="/var/tmp"))
    ward = WARDS[options.source](folder, options)
    gateway = ward.gateway
    gateway.config["ledger"] = {"block_age": "1s"}
    if options.fault:
        (folder / "faults").mkdir()
        (folder / "faults" / options.fault).write_text("1")
        (folder / "faults/commit-delay-us").write_text("5000")
        gateway.environment["WARDSTONE_FAULTS"] = str(folder / "faults")
    try:
        gateway.start()
        ward.start_load()
        rounds(ward, options, rng)
        ward.stop_load()
        acknowledged, counts = ward.acknowledged(), recorded(gateway)
        duplicates_dropped = gateway.status()["verdicts"]["duplicate"]
    finally:
        if gateway.process and gateway.process.poll() is None:
            gateway.process.send_signal(signal.SIGTERM)
            gateway.process.wait(60)
        ward.close()
        text = gateway.text()
        remove(folder)
    missing = [i for i in acknowledged if i not in counts]
    twice = [i for i, n in counts.items() if n > 1]
    print(f"seed {seed}: {options.kills} kills, {len(acknowledged)} readings acknowledged, {len(missing)} missing, "
          f"{len(twice)} recorded twice, {duplicates_dropped} redelivered ones dropped since the last kill")
    if missing or twice:
        print(f"missing: {sorted(missing)[:5]} twice: {twice[:5]}\n{text[-3000:]}", file=sys.stderr)
    sys.exit(1 if missing or twice or not acknowledged else 0)


if __name__ == "__main__":
    main()
