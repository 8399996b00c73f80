import { ConfigError, decodeState, encodeState } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DiskOracle } from "./oracle.ts";
import {
  DISK,
  GHC,
  IMAGE,
  PAIR,
  PxCI,
  PxCLB,
  PxCMD,
  PxSACT,
  PxSCTL,
  Rig,
  type Sent,
  SIZE,
  sectors,
  writeDma,
} from "./rig.test-support.ts";

const DATA = 0x8_0000;
const NON_ROOT = 2;

/** What was found, by kind and place. */
const found = ({ oracle }: Rig) => oracle.findings.map(({ kind, lba, sectors }) => [kind, lba, sectors]);
const right = (rig: Rig) => {
  const result = rig.oracle.verify();
  assert.equal([result.firstDifference, found(rig)], [undefined, []]);
  assert.is(result.verified, true);
  return result;
};
/** @returns the message of the first difference */
const wrong = (rig: Rig, lba: number, differences = 1): string => {
  const result = rig.oracle.verify();
  assert.is(result.verified, false);
  assert.equal([result.firstDifference?.lba, result.differences], [lba, differences]);
  return result.firstDifference!.message;
};

const bare = suite("the oracle, without a hypervisor");

bare("an image that lies on the disk is right, and so are sectors behind it that nobody touched", () => {
  const rig = Rig.deployed();
  const result = right(rig);
  assert.equal([result.sectors, result.guestWrites, result.guestSectors], [DISK, 0, 0]);
});

bare("what is missing of the image is wrong, by the first sector", () => {
  const rig = Rig.deployed();
  rig.medium.write(40, sectors(2, 0));
  assert.match(wrong(rig, 40, 2), /LBA 40 holds zeros; right is what was there before the guest/);
});

const writes: [what: string, sent: Sent][] = [
  ["WRITE SECTORS", { command: 0x30, lba: 70, count: 2 }],
  ["WRITE SECTORS EXT", { command: 0x34, lba: 70, count: 2 }],
  ["WRITE DMA EXT", { command: 0x35, lba: 70, count: 2 }],
  ["WRITE MULTIPLE EXT", { command: 0x39, lba: 70, count: 2 }],
  ["WRITE DMA FUA EXT", { command: 0x3d, lba: 70, count: 2 }],
  ["WRITE MULTIPLE", { command: 0xc5, lba: 70, count: 2 }],
  ["WRITE DMA", { command: 0xca, lba: 70, count: 2 }],
  ["WRITE MULTIPLE FUA EXT", { command: 0xce, lba: 70, count: 2 }],
  ["WRITE FPDMA QUEUED", { command: 0x61, lba: 70, features: 2 }],
  ["WRITE DMA by cylinder, head and sector", { command: 0xca, lba: 8, count: 2, device: 1 }],
];
for (const [what, sent] of writes) {
  bare(`${what} changes what is right`, () => {
    const rig = Rig.deployed().start();
    rig.memory(DATA, sectors(2, 0xa5));
    rig
      .send({
        ...sent,
        regions: [
          [DATA, 600],
          [DATA + 600, 424],
        ],
      })
      .settle();
    const result = right(rig);
    const { open, bytes } = rig.oracle.statistics;
    assert.equal([result.guestWrites, result.guestSectors, open, bytes], [1, 2, 0, 2 * SIZE]);
    rig.medium.write(70, rig.image.subarray(0, SIZE));
    assert.match(wrong(rig, 70), /right is what the guest wrote last/);
  });
}

bare("TRIM empties its ranges", () => {
  const rig = Rig.deployed().start();
  rig.memory(DATA, sectors(1, 0));
  rig.memory(DATA, [3, 0, 0, 0, 0, 0, 4, 0, 50, 0, 0, 0, 0, 0, 100, 0]);
  rig.send({ command: 6, features: 1, count: 1, regions: [[DATA, SIZE]] }).settle();
  assert.equal([right(rig).guestSectors, rig.oracle.statistics.trims], [104, 1]);
});

bare("a command that the drive refuses changes nothing", () => {
  const rig = Rig.deployed().start();
  rig.memory(DATA, sectors(2, 0xa5));
  rig.send(writeDma(DISK - 1, 2, DATA)).settle();
  rig.access("guest", PxCMD, 0x10);
  right(rig);
});

bare("a page that the guest changes after it issued the write", () => {
  const rig = Rig.deployed().start();
  rig.memory(DATA, sectors(4, 1));
  rig.send(writeDma(10, 4, DATA));
  rig.memory(DATA + SIZE, sectors(1, 2));
  rig.settle();
  right(rig);
});

bare("what was issued before the port runs counts for nothing", () => {
  const rig = Rig.deployed();
  rig.send(writeDma(10, 4, DATA)).settle();
  assert.is(right(rig).guestWrites, 0);
});

bare("by the index/data pair", () => {
  const rig = Rig.deployed().start();
  rig.memory(DATA, sectors(1, 7));
  rig.prepare(0, writeDma(5, 1, DATA));
  rig.pc.board.ports.write(PAIR + 0x10, 4, PxCI);
  rig.pc.board.ports.write(PAIR + 0x14, 4, 1);
  rig.settle();
  assert.is(right(rig).guestWrites, 1);
});

bare("a bit that the medium flips", () => {
  const rig = Rig.deployed().start();
  rig.memory(DATA, sectors(1, 7));
  rig.medium.flip = true;
  rig.send(writeDma(5, 1, DATA)).settle();
  assert.match(wrong(rig, 5), /contents of nobody's .* right is what the guest wrote last/);
});

bare("a write that the medium loses", () => {
  const rig = Rig.deployed().start();
  rig.memory(DATA, sectors(1, 7));
  rig.medium.drop = true;
  rig.send(writeDma(5, 1, DATA)).settle();
  assert.match(wrong(rig, 5), /what was there before the guest/);
});

for (const [how, stop] of [
  ["ST", (rig: Rig) => rig.access("guest", PxCMD, 0x10)],
  ["COMRESET", (rig: Rig) => rig.access("guest", PxSCTL, 1)],
  ["HBA reset", (rig: Rig) => rig.access("guest", GHC, 1)],
  ["RESET#", (rig: Rig) => rig.pc.reset()],
] as const) {
  bare(`a write that ${how} cuts off may be there or not, until the next one`, () => {
    const rig = Rig.deployed().start();
    rig.memory(DATA, sectors(2, 7));
    rig.send(writeDma(5, 2, DATA));
    stop(rig);
    right(rig);
    rig.medium.write(6, sectors(1, 7));
    right(rig);
    rig.medium.write(5, sectors(1, 8));
    wrong(rig, 5);
  });
}

const READ = { command: 0x25, lba: 5, count: 4, regions: [[0xa_0000, 4 * SIZE]] } as const;

bare("what a read gave is looked at when the guest has seen its end", () => {
  const rig = Rig.deployed().start();
  rig.send(READ).settle();
  assert.is(rig.oracle.statistics.checkedReads, 0);
  rig.look(PxCI);
  assert.is(rig.oracle.statistics.checkedReads, 4);
  rig.medium.write(6, sectors(2, 3));
  rig.send(READ).settle().look(PxCI);
  assert.equal(found(rig), [["read", 6, 1]]);
  assert.match(
    rig.oracle.findings[0]!.message,
    /the guest's READ DMA EXT of LBA 5, 4 sectors .* gave it digest \w+, right is digest \w+; 2 sectors there are wrong/,
  );
});

bare("what the guest reads while it writes it may be old or new", () => {
  const rig = Rig.deployed().start();
  rig.memory(DATA, sectors(1, 7));
  rig
    .send(READ)
    .send(writeDma(6, 1, DATA), { slot: 1 })
    .settle();
  rig.look(PxCI);
  rig.memory(DATA, sectors(1, 8));
  rig
    .send(writeDma(6, 1, DATA), { slot: 1 })
    .send(READ, { slot: 2 })
    .settle();
  rig.look(PxCI);
  right(rig);
  rig.send(READ, { slot: 3 }).settle().look(PxCI);
  right(rig);
});

bare("queued commands are over when SACT says so", () => {
  const rig = Rig.deployed().start();
  rig.access("guest", PxSACT, 1);
  rig.send({ command: 0x60, lba: 5, features: 4, regions: READ.regions }).settle();
  rig.look(PxCI);
  assert.is(rig.oracle.statistics.checkedReads, 0);
  rig.look(PxSACT);
  assert.is(rig.oracle.statistics.checkedReads, 4);
});

bare("a state is restored in another oracle", () => {
  const rig = Rig.deployed().start();
  rig.memory(DATA, sectors(2, 7));
  rig.send(writeDma(5, 2, DATA));
  const other = new Rig();
  const bytes = encodeState("oracle", 1, rig.oracle.save());
  other.pc.restoreState(rig.pc.saveState());
  other.oracle.restore(decodeState("oracle", 1, other.oracle.state, bytes));
  for (const one of [rig, other]) {
    one.settle();
    assert.equal([right(one).guestSectors, one.oracle.statistics.open], [2, 0]);
  }
});

bare("an image that does not fit, and a disk that is not there", () => {
  const { pc } = new Rig();
  assert.throws(
    () => new DiskOracle(pc, { image: new Uint8Array((DISK + 1) * SIZE) }),
    (e: unknown) => e instanceof ConfigError,
  );
  assert.throws(
    () => new DiskOracle(pc, { port: 1, image: new Uint8Array(SIZE) }),
    (e: unknown) => e instanceof ConfigError,
  );
});
bare.run();

/** Behind a hypervisor: the guest's accesses leave it, and the hypervisor gives the drive its own commands. */
const behind = suite("the oracle, with a hypervisor");
const byHypervisor = { who: "hypervisor" } as const;

/** The hypervisor copies the image; the guest has issued a write of two sectors of 7 to LBA 5. */
function written(): Rig {
  const rig = new Rig().startBehind();
  rig.memory(DATA, sectors(2, 7));
  rig.prepare(3, writeDma(5, 2, DATA));
  rig.leave(PxCI, 1 << 3);
  return rig;
}
/** The hypervisor stores sectors of the image. */
function copy(rig: Rig, lba: number, count: number): Rig {
  const from = 0x9_0000;
  rig.memory(from, rig.image.subarray(lba * SIZE, (lba + count) * SIZE));
  return rig.send(writeDma(lba, count, from), byHypervisor).settle();
}
const pass = (rig: Rig) => rig.send(writeDma(5, 2, DATA), byHypervisor).settle();

behind("copies of the image around the guest's write", () => {
  const rig = written();
  pass(rig);
  copy(rig, 0, 5);
  copy(rig, 7, IMAGE - 7);
  assert.equal([right(rig).guestWrites, rig.oracle.statistics.exits], [1, 3]);
});
behind("the image may be stored while the guest's write waits", () => {
  const rig = written();
  copy(rig, 0, IMAGE);
  pass(rig);
  right(rig);
});
behind("a guest's write that the copier stores old contents over is told at once", () => {
  const rig = written();
  pass(rig);
  copy(rig, 0, IMAGE);
  assert.equal(found(rig), [["overwritten", 5, 2]]);
  assert.match(
    rig.oracle.findings[0]!.message,
    /^LBA 5 to 6, at \d\.\d{9} s: the disk took what was there before the guest .* right is .*the guest wrote last/,
  );
  assert.match(wrong(rig, 5, 2), /LBA 5 holds what was there before the guest/);
});
behind("a bit flipped on the way is told at once", () => {
  const rig = written();
  const data = sectors(2, 7);
  data[600] = 6;
  rig.memory(0x9_0000, data);
  rig.send(writeDma(5, 2, 0x9_0000), byHypervisor).settle();
  assert.equal(found(rig), [["wrong data", 6, 1]]);
  assert.match(
    rig.oracle.findings[0]!.message,
    /right is that of the guest's WRITE DMA EXT of LBA 5, 2 sectors \(slot 3,/,
  );
});
behind("wrong data where only the image belongs", () => {
  const rig = new Rig().startBehind();
  rig.memory(0x9_0000, sectors(1, 9));
  rig.send(writeDma(20, 1, 0x9_0000), byHypervisor).settle();
  rig.send(writeDma(IMAGE + 20, 1, 0x9_0000), byHypervisor).settle();
  assert.equal(found(rig), [
    ["foreign", 20, 1],
    ["foreign", IMAGE + 20, 1],
  ]);
});
behind("a write that is swallowed is told when its slot is used again", () => {
  const rig = written();
  copy(rig, 0, IMAGE);
  rig.prepare(3, { command: 0xe7 });
  rig.leave(PxCI, 1 << 3);
  assert.equal(found(rig), [["lost", 5, 2]]);
  wrong(rig, 5, 2);
});
behind("a write that is swallowed is told at the end", () => {
  const rig = written();
  copy(rig, 0, IMAGE);
  assert.match(wrong(rig, 5, 2), /LBA 5 never took the guest's WRITE DMA EXT/);
});
behind("a write that is swallowed is told when the guest has seen its end", () => {
  const rig = written();
  copy(rig, 0, IMAGE);
  rig.leaveByLoad(PxCI);
  rig.enter(0, 0x5000); // the same instruction once more
  assert.equal(found(rig), []);
  rig.leaveByLoad(PxCI);
  rig.enter(1 << 3);
  assert.equal(found(rig), []);
  rig.leaveByLoad(PxCI);
  rig.enter(0);
  assert.equal(found(rig), [["lost", 5, 2]]);
});
behind("a command that is issued while another processor reads CI is not over", () => {
  const rig = new Rig().startBehind();
  rig.leaveByLoad(PxCI);
  rig.prepare(3, writeDma(5, 2, DATA));
  rig.access("guest", PxCI, 1 << 3);
  rig.enter(0);
  assert.equal([found(rig), rig.oracle.statistics.open], [[], 2]);
});
behind("the wrong data for a read, put into the guest's memory by the hypervisor", () => {
  const rig = new Rig().startBehind();
  rig.prepare(4, READ);
  rig.leave(PxCI, 1 << 4);
  rig.memory(0xa_0000, rig.image.subarray(5 * SIZE, 9 * SIZE));
  rig.memory(0xa_0000 + SIZE, [...sectors(1, 1)]);
  rig.leaveByLoad(PxCI);
  rig.enter(0);
  assert.equal(found(rig), [["read", 6, 1]]);
});
behind("while the hypervisor is there a write may be under way", () => {
  const rig = copy(written(), 0, IMAGE);
  rig.pc.board.cpu.processors[0]!.vmx.operation = NON_ROOT;
  assert.is(right(rig).underWay, 2);
});
behind("an access that left the guest and is tried again outside is one command", () => {
  const rig = written();
  copy(rig, 0, IMAGE);
  rig.access("guest", PxCLB, 0x1000);
  rig.access("guest", PxCI, 1 << 3);
  rig.settle();
  assert.is(right(rig).guestWrites, 1);
});
behind("what the hypervisor does to the controller is not the guest's", () => {
  const rig = copy(new Rig().startBehind(), 0, IMAGE);
  assert.equal([right(rig).guestWrites, rig.oracle.statistics.writes], [0, 0]);
});
behind("stores by other instructions and registers", () => {
  const codes: [code: number[], registers: Record<string, number>][] = [
    [[0x89, 0x1f], { RBX: 8 }], // mov [rdi], ebx
    [[0x45, 0x89, 0x45, 0x08], { R8: 8 }], // mov [r13+8], r8d
    [[0xc7, 0x07, 8, 0, 0, 0], {}], // mov dword [rdi], 8
    [[0x88, 0x27], { RAX: 0x800 }], // mov [rdi], ah
    [[0xc6, 0x07, 8], {}], // mov byte [rdi], 8
    [[0x66, 0x89, 0x07], { RAX: 8 }], // mov [rdi], ax
    [[0x87, 0x07], { RAX: 8 }], // xchg [rdi], eax
    [[0xa3, 0, 0, 0, 0, 0, 0, 0, 0], { RAX: 8 }], // mov [0], eax
  ];
  for (const [code, registers] of codes) {
    const rig = new Rig().startBehind();
    rig.memory(DATA, sectors(2, 7));
    rig.prepare(3, writeDma(5, 2, DATA));
    rig.leave(PxCI, 0, code, registers);
    copy(pass(rig), 0, 5);
    copy(rig, 7, IMAGE - 7);
    assert.is(right(rig).guestWrites, 1, code.join(" "));
  }
});
behind("a store of 8 bytes is one to two registers", () => {
  const rig = new Rig().start("hypervisor");
  rig.leave(PxCMD, 0x11);
  rig.leave(PxCLB, 0x1000, [0x48, 0x89, 0x07]);
  rig.prepare(0, writeDma(5, 2, DATA));
  rig.leave(PxCI, 1);
  assert.is(rig.oracle.statistics.writes, 1);
});
behind("an instruction that cannot be followed is a finding", () => {
  const rig = new Rig().startBehind();
  rig.leave(PxCI, 1, [0xab]); // stosd
  rig.leave(PxCI, 1, [0x09, 0x07]); // or [rdi], eax
  assert.equal(
    rig.oracle.findings.map(({ message }) => message.replace(/^at \S+ s: /, "")),
    [
      "the guest wrote to the controller's register 138 at RIP 5000 with stos",
      "the guest wrote to the controller's register 138 at RIP 5000 with or",
    ],
  );
  assert.is(rig.oracle.verify().verified, false);
});
behind("what left behind the drive's visible sectors is the hypervisor's own business", () => {
  const rig = copy(new Rig().startBehind(), 0, IMAGE);
  const max = { count: 1, device: 0x40 };
  rig.send({ command: 0x27 }, byHypervisor).settle();
  rig.send({ command: 0x37, lba: DISK - 9, ...max }, byHypervisor).settle();
  rig.send({ command: 0x27 }, byHypervisor).settle();
  rig.send({ command: 0x37, lba: DISK - 1, device: 0x40 }, byHypervisor).settle();
  rig.memory(0x9_0000, sectors(2, 9));
  rig.send(writeDma(DISK - 8, 2, 0x9_0000), byHypervisor).settle();
  assert.equal([right(rig).hidden, right(rig).sectors], [2, DISK - 8]);
});
behind.run();
