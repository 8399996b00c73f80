/** Checks on guest segment registers [SDM 3C 26.3.1.2], register by register. */
import { ACCESSED, CODE, DB_BIT, dplOf, G_BIT, L_BIT, PRESENT, S_BIT, UNUSABLE, WRITABLE } from "../../core/modes.ts";
import { CR0_PE } from "../../core/paging.ts";
import { LDT, TSS16_BUSY, TSS32_BUSY } from "../../core/segments.ts";
import { F } from "../fields.ts";
import { always, block, type Group, group, has, type Row, section, type View } from "./view.ts";

const unrestricted = has("unrestricted guest"),
  ia32e = has("IA-32e mode guest"),
  rule = section("26.3.1.2");
/** The fields of a register. */
const fieldsOf = (name: "CS" | "SS" | "DS" | "ES" | "FS" | "GS" | "TR" | "LDTR") => ({
  selector: F[`GUEST_${name}_SELECTOR`],
  base: F[`GUEST_${name}_BASE`],
  limit: F[`GUEST_${name}_LIMIT`],
  access: F[`GUEST_${name}_ACCESS`],
});
type Fields = ReturnType<typeof fieldsOf>;

/** Bits 11:8 and 31:17 of the access rights. */
const RESERVED_MIDDLE = 0xf00,
  RESERVED_TOP = 0xfffe0000;
/** Types of code and data segments, with their accessed bit. */
const DATA = 3,
  DATA_EXPAND_DOWN = 7,
  CODE_EXECUTE = 9,
  CODE_READ = 11,
  CONFORMING_EXECUTE = 13,
  CONFORMING_READ = 15;
const isNonConformingCode = (type: number) => type === CODE_EXECUTE || type === CODE_READ;
const isConformingCode = (type: number) => type === CONFORMING_EXECUTE || type === CONFORMING_READ;

const typeOf = (rights: number) => rights & 15;
const rplOf = (v: View, { selector }: Fields) => v.low(selector) & 3;
const isUsable = (v: View, { access }: Fields) => (v.low(access) & UNUSABLE) === 0;
const isVirtual8086 = (v: View) => v.virtual8086;
const isNotVirtual8086 = (v: View) => !v.virtual8086;

// ---- rules for several registers ----

/** P, reserved bits and G. */
const commonRows = (subject: string, { limit, access }: Fields): Row[] => [
  rule(`${subject} P (bit 7 of the access rights) must be 1`, (v) => (v.low(access) & PRESENT) !== 0),
  rule(`${subject} bits 11:8 of the access rights must be 0`, (v) => (v.low(access) & RESERVED_MIDDLE) === 0),
  rule(
    `${subject} G must be 0 if any of bits 11:0 of the limit is 0`,
    (v) => (v.low(limit) & 0xfff) === 0xfff || (v.low(access) & G_BIT) === 0,
  ),
  rule(
    `${subject} G must be 1 if any of bits 31:20 of the limit is 1`,
    (v) => v.low(limit) < 0x100000 || (v.low(access) & G_BIT) !== 0,
  ),
  rule(`${subject} bits 31:17 of the access rights must be 0`, (v) => (v.low(access) & RESERVED_TOP) === 0),
];
const mustHaveS = (subject: string, { access }: Fields): Row =>
  rule(`${subject} S (bit 4 of the access rights) must be 1`, (v) => (v.low(access) & S_BIT) !== 0);
const mustNotHaveS = (subject: string, { access }: Fields): Row =>
  rule(`${subject} S (bit 4 of the access rights) must be 0`, (v) => (v.low(access) & S_BIT) === 0);
const upperBase = (subject: string, { base }: Fields): Row =>
  rule(`${subject} bits 63:32 of the base must be 0`, (v) => v.high(base) === 0);
const canonicalBase = (subject: string, { base }: Fields): Row =>
  rule(`${subject} the base must be canonical`, (v) => v.isCanonical(base));
const globalTable = (subject: string, { selector }: Fields): Row =>
  rule(`${subject} TI (bit 2 of the selector) must be 0`, (v) => (v.low(selector) & 4) === 0);

const VIRTUAL_8086_RIGHTS = 0xf3;
const virtual8086 = (name: string, { selector, base, limit, access }: Fields) =>
  block(isVirtual8086, [
    rule(
      `${name}: in a virtual-8086 guest the base must be the selector shifted left 4 bits`,
      (v) => v.low(base) === v.low(selector) << 4 && v.high(base) === 0,
    ),
    rule(`${name}: in a virtual-8086 guest the limit must be 0000FFFFH`, (v) => v.low(limit) === 0xffff),
    rule(
      `${name}: in a virtual-8086 guest the access rights must be 000000F3H`,
      (v) => v.low(access) === VIRTUAL_8086_RIGHTS,
    ),
  ]);

// ---- CS, SS, DS, ES, FS, GS ----

const cs = fieldsOf("CS"),
  ss = fieldsOf("SS");
const codeRights = (v: View) => v.low(cs.access),
  stackRights = (v: View) => v.low(ss.access);

const code = [
  rule("CS: the type must be 9, 11, 13 or 15, or 3 with “unrestricted guest”", (v) => {
    const type = typeOf(codeRights(v));
    return isNonConformingCode(type) || isConformingCode(type) || (type === DATA && unrestricted(v));
  }),
  mustHaveS("CS:", cs),
  rule("CS: DPL must be 0 if the type is 3", (v) => typeOf(codeRights(v)) !== DATA || dplOf(codeRights(v)) === 0),
  rule(
    "CS: DPL must equal the DPL of SS if the type is 9 or 11",
    (v) => !isNonConformingCode(typeOf(codeRights(v))) || dplOf(codeRights(v)) === dplOf(stackRights(v)),
  ),
  rule(
    "CS: DPL must not be greater than the DPL of SS if the type is 13 or 15",
    (v) => !isConformingCode(typeOf(codeRights(v))) || dplOf(codeRights(v)) <= dplOf(stackRights(v)),
  ),
  ...commonRows("CS:", cs),
  rule(
    "CS: D/B must be 0 with “IA-32e mode guest” if L is 1",
    (v) => (codeRights(v) & (L_BIT | DB_BIT)) !== (L_BIT | DB_BIT) || !ia32e(v),
  ),
];

const stack = [
  rule(
    "SS: the RPL of the selector must equal that of CS without “unrestricted guest”",
    (v) => rplOf(v, ss) === rplOf(v, cs) || unrestricted(v),
  ),
  rule(
    "SS: DPL must equal the RPL of the selector without “unrestricted guest”",
    (v) => dplOf(stackRights(v)) === rplOf(v, ss) || unrestricted(v),
  ),
  rule(
    "SS: DPL must be 0 if the type of CS is 3",
    (v) => dplOf(stackRights(v)) === 0 || typeOf(codeRights(v)) !== DATA,
  ),
  rule("SS: DPL must be 0 if CR0.PE is 0", (v) => dplOf(stackRights(v)) === 0 || (v.low(F.GUEST_CR0) & CR0_PE) !== 0),
];
const usableStack = [
  rule("SS: if usable, the type must be 3 or 7", (v) => {
    const type = typeOf(stackRights(v));
    return type === DATA || type === DATA_EXPAND_DOWN;
  }),
  mustHaveS("SS: if usable,", ss),
  ...commonRows("SS: if usable,", ss),
];

const usableData = (subject: string, f: Fields): Row[] => [
  rule(`${subject} bit 0 of the type must be 1 (accessed)`, (v) => (v.low(f.access) & ACCESSED) !== 0),
  rule(`${subject} a code segment must be readable`, (v) => (v.low(f.access) & (CODE | WRITABLE)) !== CODE),
  mustHaveS(subject, f),
  rule(
    `${subject} DPL must not be less than the RPL of the selector, with types 0–11 and without “unrestricted guest”`,
    (v) => {
      const rights = v.low(f.access);
      return dplOf(rights) >= rplOf(v, f) || typeOf(rights) > CODE_READ || unrestricted(v);
    },
  ),
  ...commonRows(subject, f),
];

const codeGroup: Group = {
  name: "guest CS",
  blocks: [block(always, [upperBase("CS:", cs)]), virtual8086("CS", cs), block(isNotVirtual8086, code)],
};
const stackGroup: Group = {
  name: "guest SS",
  blocks: [
    block((v) => isUsable(v, ss), [upperBase("SS: if usable,", ss)]),
    virtual8086("SS", ss),
    block(isNotVirtual8086, stack),
    block((v) => !v.virtual8086 && isUsable(v, ss), usableStack),
  ],
};
function dataGroup(name: "DS" | "ES" | "FS" | "GS"): Group {
  const f = fieldsOf(name),
    subject = `${name}: if usable,`,
    usable = (v: View) => isUsable(v, f);
  const base =
    name === "DS" || name === "ES"
      ? block(usable, [upperBase(subject, f)])
      : block(always, [canonicalBase(`${name}:`, f)]);
  const rights = block((v) => !v.virtual8086 && isUsable(v, f), usableData(subject, f));
  return { name: `guest ${name}`, blocks: [base, virtual8086(name, f), rights] };
}

// ---- TR and LDTR ----

function taskGroup(): Group {
  const f = fieldsOf("TR");
  return group("guest TR", [
    globalTable("TR:", f),
    canonicalBase("TR:", f),
    rule("TR: the type must be 11, or 3 without “IA-32e mode guest”", (v) => {
      const type = typeOf(v.low(f.access));
      return type === TSS32_BUSY || (type === TSS16_BUSY && !ia32e(v));
    }),
    mustNotHaveS("TR:", f),
    ...commonRows("TR:", f),
    rule("TR: the register must be usable", (v) => isUsable(v, f)),
  ]);
}
function localTableGroup(): Group {
  const f = fieldsOf("LDTR"),
    subject = "LDTR: if usable,";
  const rows = [
    globalTable(subject, f),
    canonicalBase(subject, f),
    rule(`${subject} the type must be 2`, (v) => typeOf(v.low(f.access)) === LDT),
    mustNotHaveS(subject, f),
    ...commonRows(subject, f),
  ];
  return { name: "guest LDTR", blocks: [block((v) => isUsable(v, f), rows)] };
}

export const SEGMENT_GROUPS: readonly Group[] = [
  codeGroup,
  stackGroup,
  dataGroup("DS"),
  dataGroup("ES"),
  dataGroup("FS"),
  dataGroup("GS"),
  taskGroup(),
  localTableGroup(),
];
