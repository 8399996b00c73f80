import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../scripts/bundle.mjs";
import { buildCapture, capture } from "./capture.ts";
import { CODE, DATA, extent, type Mode, SELECTORS, selector } from "./environment.ts";
import { type Case, CS, type Outcome, RCX, RSP, STATE, viewOf } from "./layout.ts";

/** Capturing needs Linux on x86-64, and a C compiler. Everything else needs neither. */
const able = process.platform === "linux" && process.arch === "x64" && spawnSync("cc", ["--version"]).status === 0;

type Setup = (view: DataView) => void;

function run(
  mode: Mode,
  code: string,
  setup: Setup = () => {},
  step = false,
): { before: DataView; after: DataView; outcome: Outcome } {
  const state = new Uint8Array(STATE.BYTES);
  const view = viewOf(state);
  for (const [i, value] of SELECTORS[mode].entries()) view.setUint16(STATE.SEGMENT + 2 * i, value, true);
  const address = CODE.address + 0x800;
  view.setUint32(STATE.RIP, address - extent(SELECTORS[mode][CS]!).base, true);
  view.setUint32(STATE.RFLAGS, 0x202, true);
  view.setUint16(STATE.FCW, 0x37f, true);
  view.setUint32(STATE.MXCSR, 0x1f80, true);
  view.setUint32(STATE.GPR + 8 * RSP, mode === 16 ? 0x5000 : DATA.address + 0x1000, true);
  setup(view);
  const given: Case = { mode, state, address, code: Uint8Array.from(Buffer.from(code, "hex")), step, patches: [] };
  const outcome = capture(buildCapture(root), [given])[0]!;
  return { before: view, after: viewOf(outcome.state), outcome };
}

if (able) {
  test("64-bit code: an addition, its flags, and RIP behind it", () => {
    const { before, after, outcome } = run(64, "4801c8", (view) => view.setBigUint64(8 * RCX, 1n << 63n, true)); // add rax,rcx
    assert.is(outcome.vector, -1);
    assert.is(after.getBigUint64(0, true), 1n << 63n);
    assert.is(after.getUint32(STATE.RFLAGS, true), 0x286);
    assert.is(after.getUint32(STATE.RIP, true), before.getUint32(STATE.RIP, true) + 3);
  });

  test("32-bit code: 40 is INC, and pushes have four bytes", () => {
    assert.is(run(32, "40").after.getUint32(0, true), 1);
    const { outcome } = run(32, "6a80"); // push -128
    assert.equal(outcome.patches, [{ address: DATA.address + 0xffc, bytes: Uint8Array.of(0x80, 0xff, 0xff, 0xff) }]);
  });

  test("16-bit code: segments have bases and limits, and half of ESP stays", () => {
    const push = run(16, "50", (view) => view.setUint32(STATE.GPR + 8 * RSP, 0xabcd_5000, true));
    assert.is(push.after.getUint32(STATE.GPR + 8 * RSP, true), 0xabcd_4ffe);
    assert.equal(
      push.outcome.patches.map(({ address }) => address),
      [DATA.address + 0xffe],
    );
    assert.is(run(16, "a1ff5f").outcome.vector, 13); // mov ax,[5fff]: beyond the limit of exact16
  });

  test("faults say where, and leave the state alone", () => {
    const { outcome, before } = run(64, "891c25ff1f2200"); // mov [DATA+1fff],ebx runs over the end
    assert.equal([outcome.vector, outcome.error, outcome.cr2], [14, 6, BigInt(DATA.address + DATA.size)]);
    assert.equal(outcome.state, new Uint8Array(before.buffer));
    assert.equal(outcome.patches, []);
    assert.is(run(64, "0f0b").outcome.vector, 6);
    assert.is(run(64, "f7f1").outcome.vector, 0); // div ecx
    assert.is(run(64, "cc").outcome.vector, 3);
    assert.is(run(64, "f1").outcome.vector, 1);
    assert.is(run(64, "f4").outcome.vector, 13);
    const absent = run(32, "8ed8", (view) => view.setUint32(0, selector("absent"), true)); // mov ds,eax
    assert.equal([absent.outcome.vector, absent.outcome.error], [11, selector("absent") & ~3]);
  });

  test("branches are followed to where nothing is", () => {
    const { outcome, after } = run(64, "ffe1", (view) => view.setBigUint64(8 * RCX, 0x1234_5678_9000n, true), true); // jmp rcx
    assert.is(outcome.vector, -1);
    assert.is(after.getBigUint64(STATE.RIP, true), 0x1234_5678_9000n);
  });

  test("x87, SSE and AVX state goes in and comes out", () => {
    const fld1 = run(64, "d9e8").after;
    assert.equal([fld1.getUint16(STATE.FSW, true), fld1.getUint16(STATE.FTW, true)], [0x3800, 0x80]);
    assert.equal([fld1.getBigUint64(STATE.R + 112, true), fld1.getUint16(STATE.R + 120, true)], [1n << 63n, 0x3fff]);
    const sum = run(64, "c5fd58c1", (view) => view.setFloat64(STATE.YMM_HIGH + 16, 0.5, true)).after; // vaddpd ymm0,ymm0,ymm1
    assert.is(sum.getFloat64(STATE.YMM_HIGH, true), 0.5);
    assert.is(run(64, "0f5ec1").outcome.state[STATE.MXCSR], 0x81); // divps of zeros: invalid
  });

  test("FS and GS have the bases that a case gives them", () => {
    const read = run(64, "f3480faec0", (view) => view.setBigUint64(STATE.FS_BASE, 0x7fff_1234_5678n, true)); // rdfsbase rax
    assert.is(read.after.getBigUint64(0, true), 0x7fff_1234_5678n);
  });
}

test.run();
