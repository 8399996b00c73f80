import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DS, S, SEG, segment } from "../core/state.ts";
import { DATA, INDEFINITE, ONE, real, X87 } from "./x87.test-support.ts";

const test = suite("x87 control");
const WAITING = ["9B", "D9 D0", "D9 E8", "D8 C1", "D9 2E", "D9 26", "DD 26", "DB F1", "D9 F7", "DD C0"];
const CONTROL = ["DB E2", "DB E3", "DD 3E", "DF E0", "D9 3E", "D9 36", "DD 36", "DB E0", "DB E1", "DB E4"];

test("an unmasked exception is reported by the next waiting instruction, and by no other [SDM 1 8.6]", () => {
  for (const code of [...WAITING, ...CONTROL]) {
    const u = new X87();
    u.set({ st: [ONE, ONE], fcw: 0x37e, fsw: "IE ES B" });
    assert.is(u.step(code), WAITING.includes(code) ? "MF" : "", code);
  }
});

test("with CR0.NE clear it goes out by FERR# [SDM 3A 2.5]", () => {
  const u = new X87();
  let asserted = 0;
  u.rig.cpu.board.ferr = () => { asserted++; };
  u.rig.cpu.setU32(S.CR0, 1);
  u.set({ st: [ONE], fcw: 0x37e, fsw: "IE ES B" });
  assert.is(u.step("D9 E8"), "");
  assert.is(asserted, 1);
  delete u.rig.cpu.board.ferr;
});

test("CR0.EM and CR0.TS make the unit unavailable; FWAIT minds TS with MP only [SDM 3A table 9-3]", () => {
  const NM = (cr0: number, code: string) => {
    const u = new X87();
    u.rig.cpu.setU32(S.CR0, 0x21 | cr0);
    u.rig.cpu.refresh();
    return u.step(code) === "NM";
  };
  for (const code of ["D9 E8", "DB E3", "DF E0", "DB E0"]) for (const cr0 of [4, 8, 12]) assert.ok(NM(cr0, code));
  assert.not.ok(NM(4, "9B"));
  assert.not.ok(NM(8, "9B"));
  assert.ok(NM(10, "9B"));
});

test("FNINIT, FNCLEX, FLDCW, FNSTCW, FNSTSW", () => {
  const u = new X87();
  u.set({ st: [ONE], fcw: 0, fsw: "IE SF ES C1 B" });
  u.step("DB E2");
  assert.is(u.status, "C1");
  u.step("DB E3");
  assert.equal([u.word(S.FCW), u.word(S.FSW), u.word(S.FTW)], [0x37f, 0, 0]);
  assert.is(u.rig.fpr(4), ONE); // registers stay

  u.set({ st: [ONE], fsw: "PE", memory: 0xffdfn });
  u.step("D9 2E"); // unmasks what waits
  assert.is(u.status, "PE ES B");
  assert.is(u.word(S.FCW), 0x1f5f);
  u.step("D9 3E");
  assert.is(u.rig.peek(DATA, 2), 0x1f5fn);
  u.rig.cpu.setGpr(0, 0x123456789n);
  u.step("DF E0");
  assert.is(u.rig.cpu.gpr(0), 0x12345a0a0n);
});

test("FIP, FDP and FOP are of the last instruction that is not a control instruction [SDM 1 8.1.8]", () => {
  const u = new X87(), pointers = () => [u.rig.cpu.u32(S.FIP), u.word(S.FCS), u.rig.cpu.u32(S.FDP), u.word(S.FDS), u.word(S.FOP)];
  u.set({ st: [ONE] });
  u.step("DC 06");
  assert.equal(pointers(), [0x1000, 8, DATA, 16, 0x406]);
  u.step("D9 3E");
  assert.equal(pointers(), [0x1000, 8, DATA, 16, 0x406]);
  u.rig.step([0xd9, 0xe8], 0x2000);
  assert.equal(pointers(), [0x2000, 8, DATA, 16, 0x1e8]);
  u.step("DB E3");
  assert.equal(pointers(), [0, 0, 0, 0, 0]);
});

/** Environment with known pointers; tags: ST(0) valid, ST(1) zero, ST(2) special, the others empty; TOP is 4. */
function known(bits: 16 | 32 | 64, real = false): X87 {
  const u = new X87();
  u.rig.mode(bits, real);
  u.set({ st: [ONE, 0n, INDEFINITE], fcw: 0x37e });
  u.u16[S.FCS >> 1] = 0x1234;
  u.u16[S.FDS >> 1] = 0x5678;
  u.u16[S.FOP >> 1] = 0x7ab;
  u.rig.cpu.setU64(S.FIP, 0x9abcn);
  u.rig.cpu.setU64(S.FDP, 0xdef0n);
  return u;
}
const words = (u: X87, count: number, bytes: number) => Array.from({ length: count }, (_, n) => u.rig.peek(DATA + n * bytes, bytes).toString(16));
const TAGS = "e4ff";

test("the environment has four layouts [SDM 1 figures 8-9 to 8-12]", () => {
  const ones = (hex: string) => `ffff${hex}`, head = ["37e", "2000", TAGS];
  const layouts: [bits: 16 | 32 | 64, real: boolean, prefix: string, words: string[]][] = [
    [32, false, "", [...["037e", "2000", TAGS].map(ones), "9abc", "7ab1234", "def0", ones("5678")]],
    [32, false, "66 ", [...head, "9abc", "1234", "def0", "5678"]],
    [64, false, "", [...["037e", "2000", TAGS].map(ones), "9abc", "7ab1234", "def0", ones("5678")]],
    [64, false, "48 ", [...["037e", "2000", TAGS].map(ones), "9abc", "7ab1234", "def0", ones("5678")]],
    // 1234:9ABC is 1BDFC, 5678:DEF0 is 64670
    [16, true, "", [...head, "bdfc", "17ab", "4670", "6000"]],
    [16, true, "66 ", [...["037e", "2000", TAGS, "bdfc"].map(ones), "17ab", ones("4670"), "6000"]],
  ];
  for (const [bits, real, prefix, expected] of layouts) {
    const u = known(bits, real), at = bits === 16 ? "34" : "36";
    assert.is(u.step(`${prefix}D9 ${at}`), "");
    assert.equal(words(u, 7, prefix === "66 " ? (bits === 16 ? 4 : 2) : bits === 16 ? 2 : 4), expected, `${bits} ${real} ${prefix}`);
    assert.is(u.word(S.FCW), 0x37f); // all exceptions are masked then
    assert.is(u.step(`${prefix}DB E3`), "");
    assert.is(u.step(`${prefix}D9 ${bits === 16 ? "24" : "26"}`), "");
    assert.is(u.word(S.FTW), 0x70);
    assert.is(u.rig.cpu.u32(S.FIP), real ? 0x1bdfc : 0x9abc);
    assert.is(u.rig.cpu.u32(S.FDP), real ? 0x64670 : 0xdef0);
    assert.equal([u.word(S.FCW), u.word(S.FCS), u.word(S.FDS)], [0x37e, real ? 0 : 0x1234, real ? 0 : 0x5678]);
    assert.is(u.word(S.FOP), !real && prefix === "66 " ? 0 : 0x7ab);
  }
});

test("FNSAVE stores the registers from ST(0) on and initializes; FRSTOR brings all back", () => {
  for (const [prefix, start] of [["", 28], ["66 ", 14]] as const) {
    const u = known(64);
    u.step(`${prefix}DD 36`);
    assert.is(u.rig.peek(DATA + start, 10), ONE);
    assert.is(u.rig.peek(DATA + start + 20, 10), INDEFINITE);
    assert.equal([u.word(S.FCW), u.word(S.FSW), u.word(S.FTW), u.rig.cpu.u32(S.FIP)], [0x37f, 0, 0, 0]);
    for (let n = 0; n < 8; n++) u.rig.setFpr(n, 0n);
    u.step(`${prefix}DD 26`);
    assert.equal(u.st, [ONE, 0n, INDEFINITE]);
    assert.equal([u.word(S.FCW), u.word(S.FSW), u.rig.cpu.u32(S.FIP)], [0x37e, 0x2000, 0x9abc]);
  }
});

test("FLDENV finds out for itself what waits, and of tags only which are empty", () => {
  const u = new X87();
  u.set({ st: [ONE] });
  u.rig.poke(DATA, 12, 0x0000_5557_0000_0001_0000_037en); // FCW, FSW with IE and without ES, tags
  u.step("D9 26");
  assert.is(u.status, "IE ES B TOP=0");
  assert.is(u.word(S.FTW), 0xfe);
});

test("a fault in memory leaves everything as it was", () => {
  for (const code of ["DB 3D", "DF 35", "DD 35", "D9 35", "DD 1D", "DB 2D", "DD 25", "DC 05"]) {
    const u = new X87();
    u.rig.mode(16);
    u.set({ st: [ONE, real(2)], fcw: 0x37e, fsw: "C1" });
    u.rig.cpu.setGpr(7, 0xfffcn);
    limitData(u, 0xffff);
    assert.is(u.step(code), "GP", code);
    assert.is(u.status, "C1");
    assert.equal(u.st, [ONE, real(2)]);
    assert.is(u.word(S.FOP), 0);
  }
});
function limitData(u: X87, limit: number): void {
  u.rig.cpu.setU32(segment(DS) + SEG.limit, limit);
  u.rig.cpu.refresh();
}

test.run();
