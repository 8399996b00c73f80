/**
 * Where we differ from objdump on purpose, with reasons. What is not listed here fails the comparison.
 *
 * Our rule is the processor. objdump is a tool that should show what a programmer may have meant: it accepts encodings that
 * are undefined, and knows the instructions of every vendor and of the future.
 */
import type { Bits } from "./objdump.ts";

export interface Accepted {
  readonly reason: string;
  /** Patterns of both texts. */
  readonly ours: RegExp;
  readonly theirs: RegExp;
  /** Only for these widths, or instructions whose 15 bytes in hexadecimal match. */
  readonly bits?: readonly Bits[];
  readonly bytes?: RegExp;
  /** True if the lengths may differ as well. */
  readonly lengths?: boolean;
}

const BAD = /^\(bad\)$/;
const DEFINED = /^[^(]/;
/** Only prefixes. */
const NOTHING = /^(?:lock )?$/;
const PREFIX = "(?:2e|36|3e|26|6[4567]|f[023]|4.)";
/** Bytes that begin so, after prefixes. */
const opcode = (pattern: string) => new RegExp(`^${PREFIX}*(?:${pattern})`);
/** Texts with one of these mnemonics (patterns). */
const named = (names: string) => new RegExp(`^(?:${names.trim().split(/\s+/).join("|")})(?: |$)`);

/** Instructions of processors that ours is not, or not yet: undefined here. */
const absent = (reason: string, names: string): Accepted => ({ reason, ours: BAD, theirs: named(names) });

/** Shorter with every family that is defined. */
const UNDEFINED_YET: readonly Accepted[] = [
  {
    reason: "encodings with VEX, EVEX or XOP prefixes (AVX to AVX-512, BMI, FMA, XOP) are not implemented",
    ours: BAD,
    theirs: DEFINED,
    bytes: opcode("c4|c5|62|8f"),
  },
  {
    reason:
      "SSSE3, SSE4, AES, PCLMULQDQ, SHA, GFNI, ADX, MOVDIRI and others: of maps 0F 38 and 0F 3A only MOVBE is implemented",
    ours: BAD,
    theirs: /^(?!movbe)[^(]/,
    bytes: opcode("0f3[8a]"),
  },
  absent("SSE3 is not implemented", "addsubp[sd] haddp[sd] hsubp[sd] lddqu movddup movs[hl]dup"),
  absent("XSAVE is not implemented", "xgetbv xsetbv xsave(?:c|s|opt)?(?:64)? xrstors?(?:64)?"),
  absent("TSX is not implemented", "xbegin[wd]? xend xabort xtest"),
  absent("VT-x and SMM are not implemented", "vm(?:call|launch|resume|xoff|xon|clear|ptrld|ptrst|read|write|func) rsm"),
  {
    reason: "BMI is not implemented: as before BMI, TZCNT is BSF",
    ours: named("bsf"),
    theirs: named("tzcnt"),
    bytes: opcode("0fbc"),
  },
  {
    reason: "LZCNT is not implemented: as before it, it is BSR",
    ours: named("bsr"),
    theirs: named("lzcnt"),
    bytes: opcode("0fbd"),
  },
];

const NEVER_DEFINED: readonly Accepted[] = [
  absent("3DNow!: no processor has it any more", "femms pf[a-z0-9]+ pi2f[dw] pavgusb pmulhrw pswapd"),
  absent(
    "SSE4a and other extensions of AMD",
    "extrq insertq movnts[sd] skinit clgi stgi vmrun vmload vmsave vmmcall vmgexit invlpga invlpgb tlbsync rdpru monitorx mwaitx clzero mcommit pvalidate psmash rmpadjust rmpupdate rmpquery",
  ),
  absent("PadLock of VIA", "xstore(?:-rng)? xcrypt-[a-z]+ xsha(?:1|256) montmul"),
  absent("SGX, SMX, TDX", "encl[suv] getsec seam(?:call|ret|ops) tdcall"),
  absent(
    "protection keys, WAITPKG, user interrupts, and other extensions that no model has",
    "(?:rd|wr)pkru umwait umonitor tpause uiret clui stui testui senduipi ptwrite serialize x(?:sus|res)ldtrk hreset pconfig (?:rd|wr)msrlist wrmsrns",
  ),
  absent("shadow stacks (CET), where the encoding is no hint", "incssp[dq] saveprevssp rstorssp setssbsy clrssbsy"),
];

/** Encodings that objdump shows and processors refuse. */
const REFUSED: readonly Accepted[] = [
  {
    reason: 'LOCK before what cannot be locked is #UD [SDM 2A "LOCK"]',
    ours: BAD,
    theirs:
      /^lock (?!(?:add|or|adc|sbb|and|sub|xor|inc|dec|neg|not|xchg|xadd|cmpxchg|cmpxchg8b|cmpxchg16b|bt[src]) \w+ PTR)/,
  },
  {
    reason:
      "an instruction without mandatory prefix (NP) is #UD with 66, F2 or F3 [SDM 2A 3.1.1.1]; objdump shows a redundant prefix",
    ours: BAD,
    theirs: named("ldmxcsr stmxcsr sfence lfence mfence clac stac pmovmskb fxsave(?:64)? fxrstor(?:64)?"),
    bytes: new RegExp(`^${PREFIX}*?(?:66|f[23])`),
  },
  {
    reason: "16 bytes and more are #GP(0); objdump prints the first prefixes of what does not fit into 15 alone",
    ours: /^\(/,
    theirs: NOTHING,
    bytes: new RegExp(`^${PREFIX}{9}`),
  },
  {
    reason: "objdump prints 14 prefixes alone, though the instruction after them is the 15th byte",
    ours: DEFINED,
    theirs: NOTHING,
    bytes: new RegExp(`^${PREFIX}{14}`),
    lengths: true,
  },
  {
    reason:
      'SYSCALL and SYSRET exist in 64-bit mode only [SDM 2B "SYSCALL"]; AMD\'s processors have them in protected mode, too',
    ours: BAD,
    theirs: named("syscall sysret"),
    bits: [32, 16],
  },
  {
    reason: '64-bit mode only [SDM 2B "RDFSBASE/RDGSBASE", "SWAPGS"]',
    ours: BAD,
    theirs: named("(?:rd|wr)[fg]sbase swapgs"),
    bits: [32, 16],
  },
  {
    reason: "LOCK MOV CR0 is MOV CR8 on processors of AMD; on ours LOCK is illegal there",
    ours: BAD,
    theirs: /^mov (?:\w+,)?cr(?:8|9|1\d)/,
    bits: [32, 16],
    bytes: new RegExp(`^${PREFIX}*?f0`),
  },
  { reason: "test registers: gone since the Pentium", ours: BAD, theirs: /^mov (?:\w+,)?tr\d/, bits: [32, 16] },
  absent("FRSTPM of the 80287XL: undefined since the 486", "frstpm"),
];

/** Encodings that processors execute and objdump does not know. */
const UNKNOWN: readonly Accepted[] = [
  {
    reason:
      "REX counts only right before the opcode, else it is ignored [SDM 2A 2.2.1]; objdump ends the line after it",
    ours: /./,
    theirs: NOTHING,
    bits: [64],
    bytes: new RegExp(`^${PREFIX}*4.(?:${PREFIX}|9b)`),
    lengths: true,
  },
  { reason: "SALC (D6) is not in the manual but in every processor", ours: named("salc"), theirs: BAD, bits: [32, 16] },
  {
    reason: "aliases of x87 instructions: not in the manual but in every processor",
    ours: named("fcom fcomp fxch fstp"),
    theirs: BAD,
    bytes: opcode("dc[d]|ddc|ded|dfc|dfd|d9d"),
  },
  {
    reason: 'the low three bits of MFENCE\'s ModRM byte are ignored [SDM 2B "MFENCE"]',
    ours: named("[lms]fence"),
    theirs: BAD,
    bytes: opcode("0fae"),
  },
  {
    reason: "F3 90 with REX.B exchanges R8 with rAX (so does hardware); objdump takes it for PAUSE",
    ours: named("xchg"),
    theirs: named("pause"),
    bits: [64],
    bytes: opcode("90"),
  },
  {
    reason: "F2 before BSF and BSR is ignored",
    ours: named("bs[fr]"),
    theirs: BAD,
    lengths: true,
    bytes: opcode("0fb[cd]"),
  },
  { reason: "66 and F2 before WBINVD are ignored", ours: named("wbinvd"), theirs: BAD, bytes: opcode("0f09") },
  {
    reason: 'F3 0F 09 is WBINVD where WBNOINVD is not implemented [SDM 2D "WBNOINVD"]',
    ours: named("wbinvd"),
    theirs: named("wbnoinvd"),
    bytes: opcode("0f09"),
  },
  {
    reason: "MPX and shadow stacks: reserved NOPs where they are not implemented",
    ours: named("nop"),
    theirs: named("bndldx bndstx bndmov bndc[lnu] bndmk rdssp[dq]"),
    bytes: opcode("0f1[abe]"),
  },
  {
    reason: "CLDEMOTE: a reserved NOP where it is not implemented",
    ours: named("nop"),
    theirs: named("cldemote"),
    bytes: opcode("0f1c"),
  },
  {
    reason: "PREFETCHIT0 and PREFETCHIT1: reserved NOPs where they are not implemented",
    ours: named("nop"),
    theirs: named("prefetchit[01]"),
    bits: [64],
    bytes: opcode("0f18"),
  },
  {
    reason: "prefetches with a register operand are reserved NOPs",
    ours: named("nop"),
    theirs: /^prefetch\w* \(bad\)/,
    lengths: true,
    bytes: opcode("0f0d"),
  },
];

/** The same instruction, in other words. */
const WORDING: readonly Accepted[] = [
  {
    reason: '66 90 is NOP [SDM 2B "NOP"]; objdump shows the exchange that it looks like',
    ours: named("nop"),
    theirs: /^xchg [er]?ax,[er]?ax$/,
    bytes: opcode("90"),
  },
  {
    reason: "REX.W with a destination of which only the low half can be set: objdump names the 64-bit register",
    ours: named("movmskp[sd] pmovmskb"),
    theirs: named("movmskp[sd] pmovmskb"),
    bits: [64],
    bytes: opcode("0f50|0fd7"),
  },
  {
    reason: "MOVSXD with both 66 and REX.W reads 32 bits, for REX.W takes precedence [SDM 2A 2.2.1.2]",
    ours: /^movsxd \w+,(?:DWORD|\w+d$|e)/,
    theirs: /^movsxd \w+,/,
    bits: [64],
    bytes: opcode("63"),
  },
  {
    reason: "x87 environments with both 66 and REX.W: REX.W takes precedence [SDM 2A 2.2.1.2]",
    ours: named("fldenv fnstenv fnsave frstor"),
    theirs: named("fldenvw fnstenvw fnsavew frstorw"),
    bits: [64],
    bytes: opcode("d9|dd"),
  },
  {
    reason:
      "FWAIT is an instruction, prefixes before it are its own; objdump joins all that is around it to the x87 instruction that follows",
    ours: named("fwait"),
    theirs: /^(?:lock )?(?:f|\(bad\)|$)/,
    bytes: new RegExp(`^${PREFIX}*9b(?:${PREFIX}|9b|d[89a-f])`),
    lengths: true,
  },
  {
    reason: "66 has no effect on RDFSBASE and the like, whose operands have 32 or 64 bits; objdump shows 16",
    ours: named("(?:rd|wr)[fg]sbase"),
    theirs: named("(?:rd|wr)[fg]sbase"),
    bits: [64],
    bytes: new RegExp(`^${PREFIX}*?66${PREFIX}*?0fae`),
  },
  {
    reason: 'far pointers with REX.W have 64 + 16 bits [SDM 2A "JMP", "LSS"]; objdump shows them shorter',
    ours: /\bTBYTE PTR /,
    theirs: /\b[DF]WORD PTR /,
    bits: [64],
    bytes: opcode("0fb[245]|ff"),
  },
  {
    reason: "3E is a NOTRACK prefix to objdump, which then shows no segment",
    ours: /^(?:call|jmp) \w+ PTR [cdefgs]s:/,
    theirs: /^(?:call|jmp) \w+ PTR \[/,
    bytes: opcode("ff"),
  },
  {
    reason: "MOVDQ2Q and MOVQ2DQ with 66 as well: F2 or F3 decides; objdump takes MMX registers for XMM registers",
    ours: /^mov(?:dq2q mm\d,xmm|q2dq xmm\d+,mm)/,
    theirs: /^mov(?:dq2q|q2dq) xmm\d+,xmm/,
    bytes: opcode("0fd6"),
  },
];

export const ACCEPTED: readonly Accepted[] = [...UNDEFINED_YET, ...NEVER_DEFINED, ...REFUSED, ...UNKNOWN, ...WORDING];
