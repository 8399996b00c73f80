/**
 * One text for each meaning: what objdump prints of redundant prefixes and encodings is brought to what `disassemble` prints.
 */
import type { Bits } from "./objdump.ts";

const PREFIX =
  /^(lock|repn?z|rep|bnd|notrack|xacquire|xrelease|data16|data32|addr16|addr32|rex(?:\.W?R?X?B?)?|[cdefgs]s)(?: |$)/;
const STRING = /^(movs|cmps|stos|lods|scas|ins|outs) (?!xmm)\S/;

/** Redundant prefixes go; LOCK stays, and a REP that repeats. */
export function normalise(listed: string, bits: Bits): string {
  let text = listed
    .replace(/\s+#.*$/, "")
    .replace(/ <[^>]*>/, "")
    .replace(/\((8087|287) only\)/, "")
    .replace(/\s+/g, " ")
    .trim();
  let lock = "";
  let repeat = "";
  for (let match = PREFIX.exec(text); match; match = PREFIX.exec(text)) {
    if (match[1] === "lock") lock = "lock ";
    if (match[1]!.startsWith("rep")) repeat = `${match[1]} `;
    text = text.slice(match[0].length);
  }
  const isString = STRING.test(text);
  if (!isString) text = withoutSib(text);
  if (bits === 64) text = flat(text, isString);
  else if (!isString) text = usualSegment(text);
  return lock + (isString ? repeat : "") + text;
}

/** Base, index or scale that an encoding names but that count for nothing. */
function withoutSib(text: string): string {
  if (!text.includes("iz")) return text;
  const bare = text.replace(/\+[er]iz\*[1248]/, "");
  return bare.replace(/(\w\w:)?\[([er])iz\*[1248]([+-])0x([0-9a-f]+)\]/, (_, segment, register, sign, digits) => {
    const value = BigInt(`0x${digits}`);
    const address = BigInt.asUintN(register === "e" ? 32 : 64, sign === "-" ? -value : value);
    return `${segment ?? "ds:"}0x${address.toString(16)}`;
  });
}

/** In 64-bit mode ES, CS, SS and DS are one. */
function flat(text: string, isString: boolean): string {
  if (isString) return text.replace(/\b[cse]s:\[(r|e)si\]/, "ds:[$1si]");
  if (text.startsWith("xlat")) return text.replace(/\b[cse]s:/, "ds:");
  return text.replace(/\b[cdse]s:\[/, "[").replace(/\b[cse]s:0x/, "ds:0x");
}

/** An override with the segment that it would be anyway. */
function usualSegment(text: string): string {
  return text.replace(/\b(ds|ss):\[(\w+)(\*?)/, (all, segment, base, times) => {
    if (text.startsWith("xlat")) return all;
    const usual = times === "" && /^e?[sb]p$/.test(base) ? "ss" : "ds";
    return segment === usual ? `[${base}${times}` : all;
  });
}
