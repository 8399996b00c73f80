import { Clock, ConfigError, decodeState, encodeState, ms, type Plain, record, text, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { noCost, Service, type ServiceCost, serviceState, timeOf } from "./service.ts";

const shape = serviceState(record({ name: text }));
const disk: ServiceCost = { perRequest: us(10), latency: us(90), bytesPerSecond: 1_000_000, threads: 2, queue: 3 };

for (const hops of [false, true]) {
  const test = suite(hops ? "service, saved and restored at every step" : "service");

  /** A service, and what it did when. */
  class Rig {
    clock = new Clock();
    readonly log: string[] = [];
    readonly #cost: ServiceCost;
    service: Service<{ name: string }>;
    constructor(cost: ServiceCost) {
      this.#cost = cost;
      this.service = this.#make();
    }
    #make() {
      const run = ({ name }: { name: string }) => void this.log.push(`${name} ${this.clock.now / 1000}`);
      return new Service({ clock: this.clock, name: "test", cost: this.#cost, run });
    }
    step() {
      if (!hops) return;
      const bytes = encodeState("test", 1, this.service.save() as Plain);
      const clock = new Clock();
      clock.restore(this.clock.save());
      this.clock = clock;
      this.service = this.#make();
      this.service.restore(decodeState("test", 1, shape, bytes));
    }
    submit(name: string, bytes?: number) {
      this.step();
      return this.service.submit({ name }, timeOf(this.#cost, bytes));
    }
    after(time: number) {
      this.step();
      this.clock.advanceTo(this.clock.now + time);
    }
  }

  test("no cost: the request is done within the call", () => {
    const r = new Rig(noCost);
    for (const name of ["a", "b", "c"]) assert.ok(r.submit(name, 1_000_000));
    assert.equal(r.log, ["a 0", "b 0", "c 0"]);
    assert.is(r.service.served, 3);
  });

  test("time is the request's, the disk's latency and its bytes", () => {
    const r = new Rig(disk);
    r.submit("config");
    r.submit("read", 1000);
    r.after(ms(2));
    assert.equal(r.log, ["config 10", "read 1100"]);
  });

  test("two threads work at once, the rest waits in order, what finds the queue full is lost", () => {
    const r = new Rig(disk);
    const taken = ["a", "b", "c", "d", "e", "f", "g"].map((name) => r.submit(name, 0));
    assert.equal(taken, [true, true, true, true, true, false, false]);
    assert.is(r.service.running, 2);
    assert.is(r.service.waiting, 3);
    r.after(us(150));
    assert.ok(r.submit("h"));
    r.after(ms(1));
    assert.equal(r.log, ["a 100", "b 100", "c 200", "d 200", "h 210", "e 300"]);
    assert.equal([r.service.served, r.service.refused, r.service.mostWaiting], [6, 2, 3]);
  });

  test("clear: nothing more is done", () => {
    const r = new Rig(disk);
    for (const name of ["a", "b", "c"]) r.submit(name, 0);
    r.service.clear();
    r.after(ms(1));
    assert.equal(r.log, []);
  });

  test("a cost out of range is refused by name", () => {
    for (const wrong of [{ threads: 0 }, { queue: -1 }, { latency: 0.5 }, { perRequest: -1 }, { bytesPerSecond: 0 }]) {
      assert.throws(
        () => new Rig({ ...disk, ...wrong }),
        (error: unknown) => error instanceof ConfigError && error.setting === `test.${Object.keys(wrong)[0]}`,
      );
    }
  });

  test.run();
}
