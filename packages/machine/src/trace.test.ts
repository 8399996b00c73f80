import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "./machine.ts";
import { count, forever, out, withRom } from "./rom.test-support.ts";
import { Trace, type TraceOptions } from "./trace.ts";

const test = suite("traces for Perfetto");

interface Event {
  readonly name: string;
  readonly ph: "M" | "B" | "E" | "i";
  readonly tid: number;
  readonly ts: number;
  readonly args: Record<string, string | number>;
}
function traced(options: Partial<TraceOptions> = {}, machine = new Machine(withRom(count))) {
  const pieces: string[] = [];
  const trace = new Trace(machine, { write: (text) => pieces.push(text), ...options });
  const { probes } = machine.board.cpu;
  return {
    machine,
    trace,
    pieces,
    /** VMXON or VMXOFF, an entry, an exit of the processor at that time. */
    vmx: (time: number, on: boolean, processor = 0) => probes.vmxOperation.emit({ processor, on, time }),
    entry: (time: number, ip = 0x1000, processor = 0) => probes.vmEntry.emit({ processor, ip, time }),
    exit: (
      time: number,
      reason: number,
      more: { interruption?: number; guestPhysical?: number; processor?: number } = {},
    ) =>
      probes.vmExit.emit({
        ...{ processor: 0, reason, qualification: 0x181, ip: -0x1000, interruption: 0, guestPhysical: null, time },
        ...more,
      }),
    /** Closes the trace, and reads the file. */
    events(): Event[] {
      trace.close();
      return JSON.parse(pieces.join(""));
    },
  };
}
/** Checks that the events are in order and that slices nest; each slice as "name from-to". */
function slices(events: readonly Event[], track = 1): string[] {
  const open: Event[] = [],
    found: string[] = [];
  let last = 0;
  for (const event of events.filter(({ ph }) => ph !== "M")) {
    assert.ok(event.ts >= last, `${event.name} at ${event.ts} after ${last}`);
    last = event.ts;
    if (event.tid !== track || event.ph === "i") continue;
    if (event.ph === "B") open.push(event);
    else {
      const begin = open.pop();
      assert.is(begin?.name, event.name);
      found.push(`${event.name} ${begin!.ts}-${event.ts}`);
    }
  }
  assert.is(open.length, 0, "every slice ends");
  return found;
}
const named = (events: readonly Event[], name: string) => events.filter((event) => event.name === name);

test("a trace in which nothing happened is a list of the tracks' names", () => {
  const { events } = traced({}, new Machine(withRom(count, { cpus: 2 })));
  assert.equal(
    events().map(({ ph, args }) => [ph, args["name"]]),
    [
      ["M", "CPU 0"],
      ["M", "CPU 1"],
    ],
  );
});
test("guest and hypervisor take turns within VMX operation; times are microseconds", () => {
  const { vmx, entry, exit, events } = traced();
  vmx(1000, true);
  entry(2000);
  exit(2500, 10);
  entry(3001);
  exit(4000, 48, { guestPhysical: 0xfee00000 });
  vmx(5000, false);
  const seen = events();
  assert.equal(slices(seen), [
    "guest 2-2.5",
    "cpuid 2.5-3.001",
    "guest 3.001-4",
    "eptViolation 4-5",
    "VMX operation 1-5",
  ]);
  assert.equal(named(seen, "guest")[0]!.args, { rip: "0x1000" });
  assert.equal(named(seen, "guest")[1]!.args, { exit: "cpuid" });
  assert.equal(named(seen, "eptViolation")[0]!.args, {
    qualification: "0x181",
    rip: "0xfffffffffffff000",
    guestPhysical: "0xfee00000",
  });
});
test("refused entries are instants that name the rule; one that fails as an exit is a slice", () => {
  const { machine, vmx, exit, events } = traced();
  vmx(0, true);
  const refusal = { processor: 0, rule: "CR3 must not ..", cite: "SDM 3C 26.2.2", code: 8, time: 10_000 };
  machine.probes.vmRefused.emit(refusal);
  exit(20_000, 0x80000021);
  const seen = events();
  const [instant] = named(seen, "VM entry refused");
  assert.equal(
    [instant?.ph, instant?.ts, instant?.args],
    ["i", 10, { rule: refusal.rule, cite: refusal.cite, code: 8 }],
  );
  assert.equal(slices(seen), ["entry failed: entryGuestState 20-20", "VMX operation 0-20"]);
});
test("the vector of an event that made an exit; names of addresses, if there are any", () => {
  const { entry, exit, events } = traced({ symbolOf: (address, cpu) => (address < 0 ? `idle of ${cpu}` : null) });
  entry(0);
  exit(1000, 1, { interruption: 0x80000020 });
  const seen = events();
  assert.equal(named(seen, "externalInterrupt")[0]?.args["vector"], 0x20);
  assert.is(named(seen, "externalInterrupt")[0]?.args["symbol"], "idle of 0");
  assert.is(named(seen, "guest")[0]?.args["symbol"], undefined);
});
test("interrupts and exceptions only if they are wanted", () => {
  for (const deliveries of [false, true]) {
    const { machine, events } = traced({ deliveries });
    const common = { processor: 0, ip: 0, time: 0 };
    machine.probes.deliveries.emit({ ...common, vector: 0x20, kind: 0, errorCode: null });
    machine.probes.deliveries.emit({ ...common, vector: 14, kind: 3, errorCode: 2 });
    const instants = events().filter(({ ph }) => ph === "i");
    assert.equal(
      instants.map(({ name, args }) => [name, args["errorCode"]]),
      deliveries
        ? [
            ["interrupt 32", undefined],
            ["exception 14", "0x2"],
          ]
        : [],
    );
  }
});
test("processors' turns come one after the other, the file is in order of time", () => {
  const { vmx, entry, exit, events } = traced({}, new Machine(withRom(count, { cpus: 2 })));
  for (const processor of [0, 1]) vmx(0, true, processor);
  for (let turn = 0; turn < 400; turn++) {
    for (const processor of [0, 1]) {
      for (let n = 0; n < 5; n++) {
        entry(turn * 20_000 + n * 4000 + 100 * processor, 0, processor);
        exit(turn * 20_000 + n * 4000 + 2000, 12, { processor });
      }
    }
  }
  const seen = events();
  for (const track of [1, 2]) assert.is(slices(seen, track).filter((slice) => slice.startsWith("guest")).length, 2000);
});
test("a long trace is written on the way, in pieces", () => {
  const { entry, exit, pieces, events } = traced();
  for (let n = 0; n < 10_000; n++) {
    entry(n * 2000);
    exit(n * 2000 + 1000, 12);
  }
  assert.ok(pieces.length > 15 && pieces.every((piece) => piece.length < 400_000));
  assert.is(slices(events()).length, 20_001);
});
test("many events at one time do not pile up", () => {
  const { entry, exit, pieces } = traced({}, new Machine(withRom(count, { cpus: 2 })));
  for (let n = 0; n < 10_000; n++) {
    entry(0);
    exit(0, 12);
  }
  assert.ok(pieces.length > 1);
});
test("a reset ends what is open; nothing comes after the end", () => {
  const machine = new Machine(withRom([...out(0xcf9, 0x02), ...out(0xcf9, 0x06), ...forever]));
  const { vmx, entry, exit, events, pieces } = traced({}, machine);
  vmx(0, true);
  entry(0);
  machine.run({ atMost: 3000 });
  const seen = events();
  assert.is(slices(seen).length, 2);
  assert.ok(seen.at(-1)!.ts < 3, "not only at the end");
  const { length } = pieces;
  exit(4000, 12);
  events();
  assert.is(pieces.length, length);
});
test("who begins in the middle sees the guest that runs", () => {
  const machine = new Machine(withRom(count));
  const { vmx } = machine.board.cpu.processors[0]!;
  vmx.vmxonPointer = 0x1000;
  vmx.operation = 2;
  const { exit, events } = traced({}, machine);
  exit(1000, 12);
  assert.equal(slices(events()), ["guest 0-1", "hlt 1-1", "VMX operation 0-1"]);
  vmx.operation = 0;
  vmx.vmxonPointer = -1;
});
test("counts of VM exits by reason, the most frequent first", () => {
  const machine = new Machine(withRom(count, { cpus: 2 }));
  assert.equal(machine.vmExits, { total: 0, byReason: {} });
  const [first, second] = machine.board.cpu.processors;
  for (const reason of [10, 12, 12, 0x80000021]) first!.vmx.countExit(reason);
  second!.vmx.countExit(10);
  second!.vmx.countExit(10);
  assert.equal(machine.vmExits, { total: 6, byReason: { cpuid: 3, hlt: 2, entryGuestState: 1 } });
  assert.equal(Object.keys(machine.vmExits.byReason), ["cpuid", "hlt", "entryGuestState"]);
});
test.run();
