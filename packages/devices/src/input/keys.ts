/**
 * Keys and their scan codes. Keys have the names of the UI Events specification ([CODE] = W3C, "UI Events KeyboardEvent
 * code Values", 2017), so a page's `event.code` is one. [PS2] = IBM, "Personal System/2 Hardware Interface Technical
 * Reference, Common Interfaces", 1990, chapter "Keyboard and Auxiliary Device Controller" and "Keyboards (101- and
 * 102-Key)".
 */

/** Marks codes that follow E0. */
const E0 = 0x100;

/** Scan code set 2 by key: what is sent when the key is pressed ([PS2] keyboards, figure "Scan Code Set 2"). */
// biome-ignore format: a table
const set2 = {
  KeyA: 0x1c, KeyB: 0x32, KeyC: 0x21, KeyD: 0x23, KeyE: 0x24, KeyF: 0x2b, KeyG: 0x34, KeyH: 0x33, KeyI: 0x43, KeyJ: 0x3b,
  KeyK: 0x42, KeyL: 0x4b, KeyM: 0x3a, KeyN: 0x31, KeyO: 0x44, KeyP: 0x4d, KeyQ: 0x15, KeyR: 0x2d, KeyS: 0x1b, KeyT: 0x2c,
  KeyU: 0x3c, KeyV: 0x2a, KeyW: 0x1d, KeyX: 0x22, KeyY: 0x35, KeyZ: 0x1a,
  Digit1: 0x16, Digit2: 0x1e, Digit3: 0x26, Digit4: 0x25, Digit5: 0x2e,
  Digit6: 0x36, Digit7: 0x3d, Digit8: 0x3e, Digit9: 0x46, Digit0: 0x45,
  Backquote: 0x0e, Minus: 0x4e, Equal: 0x55, BracketLeft: 0x54, BracketRight: 0x5b, Backslash: 0x5d, IntlBackslash: 0x61,
  Semicolon: 0x4c, Quote: 0x52, Comma: 0x41, Period: 0x49, Slash: 0x4a,
  Space: 0x29, Enter: 0x5a, Tab: 0x0d, Backspace: 0x66, Escape: 0x76,
  ShiftLeft: 0x12, ShiftRight: 0x59, ControlLeft: 0x14, ControlRight: E0 | 0x14, AltLeft: 0x11, AltRight: E0 | 0x11,
  MetaLeft: E0 | 0x1f, MetaRight: E0 | 0x27, ContextMenu: E0 | 0x2f, CapsLock: 0x58, NumLock: 0x77, ScrollLock: 0x7e,
  F1: 0x05, F2: 0x06, F3: 0x04, F4: 0x0c, F5: 0x03, F6: 0x0b, F7: 0x83, F8: 0x0a, F9: 0x01, F10: 0x09, F11: 0x78, F12: 0x07,
  Insert: E0 | 0x70, Delete: E0 | 0x71, Home: E0 | 0x6c, End: E0 | 0x69, PageUp: E0 | 0x7d, PageDown: E0 | 0x7a,
  ArrowUp: E0 | 0x75, ArrowDown: E0 | 0x72, ArrowLeft: E0 | 0x6b, ArrowRight: E0 | 0x74,
  Numpad0: 0x70, Numpad1: 0x69, Numpad2: 0x72, Numpad3: 0x7a, Numpad4: 0x6b, Numpad5: 0x73, Numpad6: 0x74, Numpad7: 0x6c,
  Numpad8: 0x75, Numpad9: 0x7d, NumpadDecimal: 0x71, NumpadAdd: 0x79, NumpadSubtract: 0x7b, NumpadMultiply: 0x7c,
  NumpadDivide: E0 | 0x4a, NumpadEnter: E0 | 0x5a, PrintScreen: E0 | 0x7c, Pause: 0xe1,
};

/** A key's name: `"KeyA"`, `"Enter"`, `"F12"`. */
export type Key = keyof typeof set2;

/** Every key there is. */
export const keys = Object.keys(set2) as readonly Key[];

/** Whether `name` is a key. */
export const isKey = (name: string): name is Key => Object.hasOwn(set2, name);

/** A key going down or up as one number: its code, E0 in bit 8, up in bit 9. */
export const keyEvent = (key: Key, up: boolean): number => set2[key] | (up ? 0x200 : 0);

/** The bytes of a key event in scan code set 2. */
export function scanCode(event: number): number[] {
  const code = event & 0xff;
  const up = (event & 0x200) !== 0;
  const extended = (event & E0) !== 0;
  if (code === set2.Pause) return up ? [] : [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77];
  if (extended && code === 0x7c) return up ? [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12] : [0xe0, 0x12, 0xe0, 0x7c];
  return [...(extended ? [0xe0] : []), ...(up ? [0xf0] : []), code];
}

/** What the controller makes of set 2, by byte; from 86 on bytes stay as they are ([PS2] controller, "translated"). */
// biome-ignore format: a table
const translation = Uint8Array.of(
  0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
  0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
  0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
  0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
  0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
  0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
  0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
  0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
  0x80, 0x81, 0x82, 0x41, 0x54, 0x85,
);

/** One byte of set 2 (not F0) as a byte of set 1; `up` is true if F0 came before it. */
export function translate(byte: number, up: boolean): number {
  return (byte < translation.length ? translation[byte] : byte) | (up ? 0x80 : 0);
}

/** The bytes of a key event in scan code set 1, as the controller would translate them. */
export function scanCodeSet1(event: number): number[] {
  const result: number[] = [];
  let up = false;
  for (const byte of scanCode(event)) {
    if (byte !== 0xf0) result.push(translate(byte, up));
    up = byte === 0xf0;
  }
  return result;
}

/** US layout: characters by key, plain and with shift. */
const layout: readonly (readonly [Key, string, string])[] = [
  ...keys.filter((key) => key.startsWith("Key")).map((key) => [key, key[3].toLowerCase(), key[3]] as const),
  ...[...")!@#$%^&*("].map((symbol, digit) => [`Digit${digit}` as Key, String(digit), symbol] as const),
  ["Backquote", "`", "~"],
  ["Minus", "-", "_"],
  ["Equal", "=", "+"],
  ["BracketLeft", "[", "{"],
  ["BracketRight", "]", "}"],
  ["Backslash", "\\", "|"],
  ["Semicolon", ";", ":"],
  ["Quote", "'", '"'],
  ["Comma", ",", "<"],
  ["Period", ".", ">"],
  ["Slash", "/", "?"],
];

const strokes = new Map<string, { key: Key; shift: boolean }>();
for (const [key, plain, shifted] of layout) {
  strokes.set(plain, { key, shift: false });
  strokes.set(shifted, { key, shift: true });
}
for (const [character, key] of [
  [" ", "Space"],
  ["\n", "Enter"],
  ["\r", "Enter"],
  ["\t", "Tab"],
  ["\b", "Backspace"],
  ["\x7f", "Backspace"],
  ["\x1b", "Escape"],
] as const) {
  strokes.set(character, { key, shift: false });
}

/** The events that type `character` on a US keyboard, or undefined if it has none. Control characters are Ctrl and a letter. */
export function keystroke(character: string): number[] | undefined {
  const code = character.charCodeAt(0);
  const control = !strokes.has(character) && code >= 1 && code <= 26;
  const stroke = strokes.get(control ? String.fromCharCode(code + 0x60) : character);
  if (stroke === undefined) return undefined;
  const chord: Key[] = control ? ["ControlLeft"] : stroke.shift ? ["ShiftLeft"] : [];
  return chordEvents([...chord, stroke.key]);
}

/** The events of keys pressed in the given order, and released in the opposite one. */
export function chordEvents(chord: readonly Key[]): number[] {
  return [...chord.map((key) => keyEvent(key, false)), ...chord.map((key) => keyEvent(key, true)).reverse()];
}
