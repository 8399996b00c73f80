/**
 * The three kinds of error. What the guest does wrong is architecture (a fault, an error bit) and never throws.
 * What the user does wrong throws a {@link ConfigError} when the machine is built, or a {@link StateError} when it is
 * restored. What we do wrong throws an {@link InternalError}, with the state printed.
 */

/** A configuration that cannot work. Says which setting, what was given, and what is allowed. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** The setting that is wrong, as the user wrote it: `"memory"`, `"devices[1].mac"`. */
  readonly setting: string;
  /** What is allowed there, as a phrase: `"1MiB to 3.5GiB, in whole pages"`. */
  readonly allowed: string;

  /**
   * @param setting the setting that is wrong
   * @param given what was given; anything
   * @param allowed what is allowed, as a phrase
   */
  constructor(setting: string, given: unknown, allowed: string) {
    super(`${setting}: ${show(given)} is not possible; allowed: ${allowed}`);
    this.setting = setting;
    this.allowed = allowed;
  }
}

/** A saved state that does not fit: of another version, of another machine, or damaged. Nothing was restored. */
export class StateError extends Error {
  override readonly name = "StateError";
  /** Where in the state: `"devices.ahci.port0.CLB"`, or `""` for all of it. */
  readonly path: string;

  /**
   * @param path where in the state; `""` for all of it
   * @param problem what is wrong there, as a phrase
   */
  constructor(path: string, problem: string) {
    super(`saved state${path === "" ? "" : ` at ${path}`}: ${problem}`);
    this.path = path;
  }
}

/** A mistake in castaway itself: something that was believed impossible. Please report it with its message. */
export class InternalError extends Error {
  override readonly name = "InternalError";
  /** What was being computed with, as given to {@link assert} or {@link impossible}. */
  readonly state: Readonly<Record<string, unknown>>;

  constructor(belief: string, state: Readonly<Record<string, unknown>> = {}) {
    const facts = Object.entries(state).map(([name, value]) => `\n  ${name} = ${show(value)}`);
    super(`castaway is wrong: ${belief}${facts.join("")}`);
    this.state = state;
  }
}

/**
 * Throws an {@link InternalError} that says what was believed, and prints `state`, unless `condition` holds.
 * Not for what guests or users do. On a hot path test first and call {@link impossible}: `state` is built on each call.
 */
export function assert(
  condition: boolean,
  belief: string,
  state?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (!condition) throw new InternalError(belief, state);
}

/** Throws an {@link InternalError}: the line that was reached cannot be reached. */
export function impossible(belief: string, state?: Readonly<Record<string, unknown>>): never {
  throw new InternalError(belief, state);
}

/** A value as an error message shows it: short, on one line, integers also in hexadecimal. */
function show(value: unknown): string {
  if (typeof value === "string") return `"${value.length > 80 ? `${value.slice(0, 77)}...` : value}"`;
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) > 9) {
    return `${value} (${value < 0 ? "-" : ""}0x${Math.abs(value).toString(16)})`;
  }
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) {
    return `[${value.slice(0, 16).map(show).join(", ")}${value.length > 16 ? `, .. ${value.length} in all` : ""}]`;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return String(value); // Long, Error: they know best
  const fields = Object.entries(value).slice(0, 16);
  return `{ ${fields.map(([name, field]) => `${name}: ${typeof field === "object" ? "{..}" : show(field)}`).join(", ")} }`;
}
