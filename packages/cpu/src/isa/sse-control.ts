/** MXCSR and the fences [SDM 1 10.2.3, 11.4.4]. */
import { form, type Instruction, instruction } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import { refreshMxcsr } from "../core/modes.ts";
import { S } from "../core/state.ts";
import { sse } from "./sse-common.ts";

/** The bits of MXCSR that exist; setting another one is #GP(0). FXSAVE stores it as MXCSR_MASK [SDM 1 11.6.6]. */
export const MXCSR_MASK = 0xffff;
export const MXCSR_RESET = 0x1f80;

export const sseHelpers: Record<string, Helper> = {
  "sse.setMxcsr": (cpu, [value]) => {
    cpu.setU32(S.MXCSR, Number(value));
    refreshMxcsr(cpu);
    return 0n;
  },
};

/** The register field is part of the opcode, the low three bits are ignored. Memory is in order here, so nothing is to be done. */
const fence = (name: string, opcode: string, feature: "sse" | "sse2"): Instruction =>
  instruction(name, [form(opcode, "", { feature })], () => {});

export const sseControl: Instruction[] = [
  sse("ldmxcsr", "NP 0F AE /2", "Md", (x, src) => {
    const value = x.read(src);
    x.raiseIf(x.isNonZero(x.and(value, x.const(~MXCSR_MASK))), "GP", x.const(0));
    x.call("sse.setMxcsr", value);
  }, "sse"),
  sse("stmxcsr", "NP 0F AE /3", "Md", (x, dst) => x.write(dst, x.state(S.MXCSR, 4)), "sse"),
  fence("lfence", "NP 0F AE E8+i", "sse2"),
  fence("mfence", "NP 0F AE F0+i", "sse2"),
  fence("sfence", "NP 0F AE F8+i", "sse"),
];
