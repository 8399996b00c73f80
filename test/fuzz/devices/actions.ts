/**
 * What a hostile guest and its user do to a board, one thing each, as plain data: a list of actions is a test that can
 * be printed, pasted and made shorter.
 */

export type Action =
  /** Port, bytes; port, bytes, value. */
  | readonly ["in", number, number]
  | readonly ["out", number, number, number]
  /** Physical address, bytes (1, 2, 4, 8); the same with a value, which 8 bytes hold twice. */
  | readonly ["read", number, number]
  | readonly ["write", number, number, number]
  /** Processor, offset, bytes of its local APIC's page; processor, offset, value. */
  | readonly ["apic read", number, number, number]
  | readonly ["apic write", number, number, number]
  /** A processor takes the interrupt that is asked for, if there is one. */
  | readonly ["acknowledge", number]
  /** Memory is filled with bytes in hexadecimal. */
  | readonly ["store", number, string]
  /** Virtual nanoseconds pass. */
  | readonly ["wait", number]
  /** The user types, presses keys together, sends bytes (in hexadecimal) to the serial port, or presses a button. */
  | readonly ["type", string]
  | readonly ["press", ...string[]]
  | readonly ["serial", string]
  /** A frame, in hexadecimal, arrives at a network card; its link goes down (0) or up. */
  | readonly ["frame", number, string]
  | readonly ["link", number, number]
  | readonly ["power button"]
  | readonly ["reset"]
  /** In a run with hops: all is saved and goes on in another machine. In a straight run: nothing. */
  | readonly ["hop"];

/** An action as source text. */
export function sourceOf(action: Action): string {
  const texts = action.map((part, index) => {
    if (typeof part === "string") return JSON.stringify(part);
    const isCount = action[0] === "wait" || (index === 2 && action[0] !== "apic write") || index === action.length + 1;
    return isCount || part < 10 ? String(part) : `0x${part.toString(16)}`;
  });
  return `[${texts.join(", ")}]`;
}

export const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
