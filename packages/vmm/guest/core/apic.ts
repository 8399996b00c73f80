/** The local APIC, as far as the hypervisor needs it: messages that start other processors [SDM 3A 10.6, 10.12]. */
import { mmioRead32, mmioWrite32, rdmsr, rdtsc, wrmsr } from "../x86.ts";

const APIC_BASE: u32 = 0x1b;
const X2APIC_MODE: u64 = 1 << 10;
const ADDRESS: u64 = 0x000ffffffffff000;
const ID: u64 = 0x20;
const ICR_LOW: u64 = 0x300;
const ICR_HIGH: u64 = 0x310;
const X2APIC_ID: u32 = 0x802;
export const X2APIC_ICR: u32 = 0x830;
const PENDING: u32 = 1 << 12;
/** Edge-triggered, asserted, physical destination. */
const INIT: u32 = 0x4500;
const START_UP: u32 = 0x4600;

/** Where this processor's registers are, in memory or not. */
export const apicPage = (): u64 => rdmsr(APIC_BASE) & ADDRESS;
const inX2apicMode = (): bool => (rdmsr(APIC_BASE) & X2APIC_MODE) !== 0;

/** This processor's APIC id. */
export function apicId(): u32 {
  return inX2apicMode() ? <u32>rdmsr(X2APIC_ID) : mmioRead32(apicPage() + ID) >> 24;
}
export function sendInit(to: u32): void {
  send(to, INIT);
}
/** @param page number of the page that it begins in, in real mode */
export function sendStartUp(to: u32, page: u32): void {
  send(to, START_UP | page);
}
/** The guest's half-written command, if it was about to send one, is there again afterwards. */
function send(to: u32, command: u32): void {
  if (inX2apicMode()) {
    wrmsr(X2APIC_ICR, ((<u64>to) << 32) | command);
    return;
  }
  const page = apicPage();
  while ((mmioRead32(page + ICR_LOW) & PENDING) !== 0) {}
  const destination = mmioRead32(page + ICR_HIGH);
  mmioWrite32(page + ICR_HIGH, to << 24);
  mmioWrite32(page + ICR_LOW, command);
  while ((mmioRead32(page + ICR_LOW) & PENDING) !== 0) {}
  mmioWrite32(page + ICR_HIGH, destination);
}

/** Lets time pass. Only before there is a guest. */
export function waitNanoseconds(nanoseconds: u64): void {
  const end = rdtsc() + nanoseconds;
  while (rdtsc() < end) {}
}
