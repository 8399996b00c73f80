/**
 * `npm start`: until there is a machine to boot, a small real program on the processor: x86-64 bytes, run by the emitted
 * interpreter, printing through a port.
 */
import { Cpu } from "@castaway/cpu";
import { primes } from "./start/primes.ts";

console.log(
  "castaway: the processor stands, the PC around it does not yet. Here is a program in bytes (scripts/start/primes.s):",
);
console.log("it sieves the primes below a million in 64-bit mode and prints the last ten, and how many there are.\n");

const cpu = new Cpu({
  memory: "16MiB",
  ports: {
    read: () => 0xff,
    write: (port, _bytes, value) => {
      if (port === 0xe9) process.stdout.write(String.fromCharCode(value & 0xff));
    },
  },
});
cpu.write(0x10000, primes);
cpu.enter("long", 0x10000);
cpu.set("RSP", 0x80000);

const start = performance.now();
const stop = cpu.run({ instructions: 100_000_000 });
const seconds = (performance.now() - start) / 1000;

const millions = stop.instructions / 1e6;
console.log(
  `\n${stop.reason === "idle" ? "It halted" : `It stopped (${stop.reason} ${stop.detail})`} after ${millions.toFixed(1)} million instructions ` +
    `and ${(cpu.clock.now / 1e6).toFixed(1)} ms of virtual time; the host took ${seconds.toFixed(2)} s (${(millions / seconds).toFixed(0)} MIPS).`,
);
console.log(`State digest, the same on every host: ${cpu.digest()}`);
process.exitCode = stop.reason === "idle" ? 0 : 1;
