/**
 * The page: a PC that boots the demo disk in a worker. Its first serial port is a terminal, its screen a canvas, its
 * keyboard the visitor's while the canvas has the focus.
 */
import "./main.css";
import { Terminal } from "@xterm/xterm";
import { createRemote, type Key, proxy, type RemoteMachine, type RemoteStop } from "castaway/remote";

/** The shell's prompt: until it is there virtual time runs as fast as it can, then as the wall clock does. */
const PROMPT = "castaway# ";
/** Milliseconds between two looks at the machine. */
const LOOK_AT_SCREEN = 100;
const LOOK_AT_STATUS = 500;

const element = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const status = element<HTMLOutputElement>("status");
const screen = element<HTMLCanvasElement>("screen");
const [pauseButton, powerButton, resetButton] = ["pause", "power", "reset"].map((id) => element<HTMLButtonElement>(id));

/** What the machine is doing, in a word or two. */
let doing = "booting";

/** Calls `look` again and again, never before its last call has been answered. */
function every(milliseconds: number, look: () => Promise<void>): void {
  setTimeout(async () => {
    await look();
    every(milliseconds, look);
  }, milliseconds);
}

function connectTerminal(pc: RemoteMachine): Promise<void> {
  const terminal = new Terminal({ cols: 80, rows: 25, scrollback: 5000 });
  terminal.open(element("terminal"));
  terminal.focus();
  terminal.onData((text) => pc.type(text));
  // Resolves when the terminal has drawn it: a machine that prints much waits for it.
  return pc.onSerial(proxy((bytes: Uint8Array) => new Promise<void>((resolve) => terminal.write(bytes, resolve))));
}

function connectKeyboard(pc: RemoteMachine): void {
  const held = new Set<Key>();
  const send = (key: Key, down: boolean) => {
    if (down) held.add(key);
    else held.delete(key);
    (down ? pc.keyDown(key) : pc.keyUp(key)).catch(() => held.delete(key)); // a key that a PC of 1990 does not have
  };
  for (const type of ["keydown", "keyup"] as const)
    screen.addEventListener(type, (event) => {
      event.preventDefault();
      send(event.code as Key, type === "keydown");
    });
  screen.addEventListener("blur", () => {
    for (const key of held) send(key, false);
  });
}

function connectScreen(pc: RemoteMachine): void {
  const context = screen.getContext("2d")!;
  every(LOOK_AT_SCREEN, async () => {
    const picture = document.hidden ? null : await pc.picture();
    if (picture === null) return;
    const { width, height, rgba } = picture;
    if (screen.width !== width) screen.width = width;
    if (screen.height !== height) screen.height = height;
    context.putImageData(new ImageData(rgba as Uint8ClampedArray<ArrayBuffer>, width, height), 0, 0);
  });
}

function connectStatus(pc: RemoteMachine): void {
  let last = { instructions: 0, at: performance.now() };
  every(LOOK_AT_STATUS, async () => {
    const { now, instructions } = await pc.status();
    const at = performance.now();
    const mips = (instructions - last.instructions) / (at - last.at) / 1000;
    last = { instructions, at };
    status.value = `${doing} · ${(now / 1e9).toFixed(2)} s of virtual time · ${mips.toFixed(1)} MIPS`;
  });
}

/** Runs until the machine is off or stuck. */
async function run(pc: RemoteMachine): Promise<RemoteStop> {
  let resume: (() => void) | null = null;
  pauseButton.onclick = () => (resume === null ? pc.pause() : resume());
  let stop = await pc.run({ until: PROMPT });
  for (;;) {
    if (stop.reason === "paused") {
      doing = "paused";
      pauseButton.textContent = "Go on";
      await new Promise<void>((resolve) => (resume = resolve));
      resume = null;
      pauseButton.textContent = "Pause";
    } else if (stop.reason !== "watch") return stop;
    doing = "running";
    stop = await pc.run({ pace: true });
  }
}

async function start(): Promise<void> {
  const worker = new Worker("worker.js", { type: "module" });
  const broken = new Promise<never>((_, reject) => {
    worker.onerror = (event) => reject(new Error(event.message || "the worker cannot be loaded"));
  });
  const made = createRemote(worker, {
    firmware: { bios: "blobs/seabios/bios.bin", videoBios: "blobs/seabios/vgabios-stdvga.bin" },
    disks: ["blobs/demo/demo.img.gz"],
  });
  const pc = await Promise.race([made, broken]);
  await connectTerminal(pc);
  connectKeyboard(pc);
  connectScreen(pc);
  connectStatus(pc);
  powerButton.onclick = () => pc.powerButton();
  resetButton.onclick = () => pc.reset();
  for (const button of [pauseButton, powerButton, resetButton]) button.disabled = false;
  const { reason, detail } = await Promise.race([run(pc), broken]);
  doing = `${reason} ${detail}`.trim();
  for (const button of [pauseButton, powerButton, resetButton]) button.disabled = true;
}

start().catch((error: Error) => {
  status.value = `${error.name}: ${error.message}`;
});
