/**
 * The host-protected area: the drive shows fewer sectors than it has, until told otherwise. A maximum that was set with
 * the volatile bit clear lasts until power-on or hardware reset; a persistent one stays. [ATA8-ACS 4 "HPA feature set",
 * "SET MAX ADDRESS"]
 */
import { bytes, natural, nullable, oneOf, record, type StateOf } from "@castaway/kit";
import { ERROR } from "./taskfile.ts";

const width = oneOf("none", "28", "48");
/** With how many bits of address a command speaks. */
export type Width = "28" | "48";

export const protectedAreaState = record({
  /** Sectors that the drive shows after power-on: kept without power. */
  persistent: natural,
  /** Sectors that it shows until power-on or hardware reset, if set. */
  volatile: nullable(natural),
  /** Which kind of command set a maximum: the other kind is refused. */
  setBy: width,
  /** Whether the command just before was READ NATIVE MAX ADDRESS, and which. */
  preceded: width,
  /** Whether a persistent maximum was set since power-on or hardware reset: it can be set once. */
  settled: oneOf("no", "yes"),
  lock: oneOf("inactive", "unlocked", "locked", "frozen"),
  password: nullable(bytes(32)),
  /** How many wrong passwords SET MAX UNLOCK still takes. */
  attempts: natural,
});
export type ProtectedAreaState = StateOf<typeof protectedAreaState>;

/** Attempts at SET MAX UNLOCK. [ATA8-ACS "SET MAX UNLOCK"] */
const attempts = 5;

export class ProtectedArea {
  /** All sectors of the medium. */
  readonly native: number;
  #state: ProtectedAreaState;

  /** @param persistent sectors that the drive shows after power-on */
  constructor(native: number, persistent = native) {
    this.native = native;
    this.#state = {
      persistent,
      volatile: null,
      setBy: "none",
      preceded: "none",
      settled: "no",
      lock: "inactive",
      password: null,
      attempts,
    };
  }

  /** How many sectors the host can address. */
  get visible(): number {
    return this.#state.volatile ?? this.#state.persistent;
  }

  /** How many the drive shows after the next power-on: what its owner keeps for it while there is no machine. */
  get persistent(): number {
    return this.#state.persistent;
  }

  /** Whether a SET MAX password is set. */
  get secured(): boolean {
    return this.#state.password !== null;
  }

  /** Power-on: volatile settings and the password are gone. */
  powerOn(): void {
    Object.assign(this.#state, { lock: "inactive", password: null, attempts });
    this.hardwareReset(false);
  }

  /** @param preserve whether the volatile maximum outlives the reset [SATA 3.x 13.5, software settings preservation] */
  hardwareReset(preserve: boolean): void {
    const s = this.#state;
    s.preceded = "none";
    s.settled = "no";
    if (preserve) return;
    s.volatile = null;
    if (s.persistent === this.native) s.setBy = "none";
  }

  /** Any command but READ NATIVE MAX ADDRESS comes in between. */
  forget(): void {
    this.#state.preceded = "none";
  }

  /** @returns the last address that the medium has */
  readNativeMax(with_: Width): number {
    this.#state.preceded = with_;
    return this.native - 1;
  }

  /** Whether a command F9h is SET MAX ADDRESS, whatever its features say. [ATA8-ACS "SET MAX"] */
  get armed(): boolean {
    return this.#state.preceded === "28";
  }

  /**
   * SET MAX ADDRESS (EXT). [ATA8-ACS "SET MAX ADDRESS", "SET MAX ADDRESS EXT"]
   * @param last the last address to be shown
   * @param persistent whether it stays after power-on
   * @returns bits of {@link ERROR}
   */
  setMax(with_: Width, last: number, persistent: boolean): number {
    const s = this.#state;
    const refused = s.preceded !== with_ || s.lock === "locked" || s.lock === "frozen";
    s.preceded = "none";
    if (refused || (s.setBy !== "none" && s.setBy !== with_)) return ERROR.ABRT;
    if (last >= this.native || (persistent && s.settled === "yes")) return ERROR.IDNF;
    if (persistent) {
      s.persistent = last + 1;
      s.volatile = null;
      s.settled = "yes";
    } else s.volatile = last + 1;
    s.setBy = this.visible === this.native ? "none" : with_;
    return 0;
  }

  /** SET MAX SET PASSWORD: the password's 32 bytes. [ATA8-ACS "SET MAX SET PASSWORD"] */
  setPassword(password: Uint8Array): number {
    const s = this.#state;
    if (s.lock === "locked" || s.lock === "frozen") return ERROR.ABRT;
    Object.assign(s, { password: password.slice(), lock: "unlocked", attempts });
    return 0;
  }

  /** SET MAX LOCK: from now on addresses cannot be set. [ATA8-ACS "SET MAX LOCK"] */
  lock(): number {
    const s = this.#state;
    if (s.lock === "inactive" || s.lock === "frozen") return ERROR.ABRT;
    s.lock = "locked";
    return 0;
  }

  /** SET MAX UNLOCK with a password of 32 bytes. [ATA8-ACS "SET MAX UNLOCK"] */
  unlock(password: Uint8Array): number {
    const s = this.#state;
    if (s.lock !== "locked" || s.attempts === 0) return ERROR.ABRT;
    if (s.password?.some((byte, i) => byte !== password[i])) {
      s.attempts--;
      return ERROR.ABRT;
    }
    Object.assign(s, { lock: "unlocked", attempts });
    return 0;
  }

  /** SET MAX FREEZE LOCK: nothing can be set or unlocked until power-on. [ATA8-ACS "SET MAX FREEZE LOCK"] */
  freeze(): number {
    const s = this.#state;
    if (s.lock === "inactive") return ERROR.ABRT;
    s.lock = "frozen";
    return 0;
  }

  save(): ProtectedAreaState {
    return { ...this.#state, password: this.#state.password?.slice() ?? null };
  }

  restore(state: ProtectedAreaState): void {
    this.#state = { ...state, password: state.password?.slice() ?? null };
  }
}
