/** The options of `castaway boot`: their texts, their values, and what cannot go together. */
import type { Nanoseconds } from "@castaway/kit";
import { type MachineOptions, modelNames, type TimingName } from "castaway";
import { Command, InvalidArgumentError, Option } from "commander";
import { exitCodesHelp, UserError } from "./exit.ts";
import type { Step } from "./expect.ts";
import { type BootDevice, bootOrder, type NetworkOptions, networkOptions } from "./network-options.ts";
import { date, duration, integer, unescaped } from "./units.ts";

export type LogName = "firmware" | "debug";

export interface BootOptions extends NetworkOptions {
  /** Undefined: the demo disk. */
  readonly image?: string;
  readonly disk: readonly string[];
  readonly write: boolean;
  readonly diskTiming?: TimingName;
  readonly memory?: string;
  readonly cpus?: number;
  readonly model?: string;
  readonly executor?: MachineOptions["executor"];
  readonly msi: boolean;
  readonly display: boolean;
  /** Undefined: if the network is booted first, since iPXE talks to the screen only. */
  readonly serialConsole?: boolean;
  readonly startDate?: number;
  readonly seed?: number;
  /** Undefined: the disk first, unless the network has something to boot. */
  readonly boot?: readonly BootDevice[];
  readonly load?: string;
  readonly save?: string;
  readonly plain: boolean;
  readonly screen: boolean;
  readonly status: boolean;
  /** Undefined: as the way of use suggests. */
  readonly pace?: boolean;
  /** What `--expect` and `--type` say, in their order. */
  readonly script: readonly Step[];
  readonly atMost?: Nanoseconds;
  readonly gdb?: number;
  readonly json?: string;
  readonly screenshot?: string;
  readonly trace?: string;
  readonly log: readonly LogName[];
}

const examples = `Examples:
  castaway boot                                  the demo disk, its serial port in this terminal; Ctrl-A h helps
  castaway boot disk.img --memory 512MiB         a raw image, which is never modified
  castaway boot disk.img --write                 the same, but the guest's writes go to the file
  castaway boot disk.img.gz --screen             the VGA screen instead of the serial port
  castaway boot disk.img --disk data.img --cpus 2 --disk-timing ssd

  On a simulated network; a machine that boots from it alone needs no disk:
  castaway boot --net --expect '# ' --type 'net\\n'
  castaway boot --boot network --tftp folder --boot-file boot.ipxe
  castaway boot --boot network --aoe disk.img --link latency=200us,loss=1% --pcap lan.pcapng

  In scripts: wait for a text, type, and so on, in the order of the command line:
  castaway boot --plain --expect DEMO-READY --type 'check\\n' --expect CHECK-OK --at-most 60s
  castaway boot --plain --expect DEMO-READY --json -            measures; the report is the last line
  castaway boot hypervisor.img --plain --at-most 5s --trace vmx.json       for ui.perfetto.dev
  castaway boot --plain --expect DEMO-READY --save ready.snapshot
  castaway boot --load ready.snapshot                           goes on from there`;

/** @param run is given the options, checked; what it throws goes through */
export function bootCommand(run: (options: BootOptions) => Promise<void>): Command {
  const script: Step[] = [];
  const step = (kind: Step["kind"]) => (text: string) => {
    if (text === "") throw new InvalidArgumentError("An empty text is never printed.");
    script.push({ kind, text: unescaped(text) });
  };
  const command = new Command("boot")
    .summary("switch on a PC with a disk image")
    .description(
      "Switches on a PC and boots a disk image in it. Without IMAGE it is the demo disk: a small Linux;\n" +
        "or no disk at all with --boot network.\n" +
        "Images are read through a copy-on-write overlay and never modified, unless --write says so.",
    )
    .argument("[IMAGE]", "disk image, raw or gzip")
    .addHelpText("after", `\n${examples}\n\n${exitCodesHelp}`);

  const add = (group: string, ...options: Option[]) => {
    for (const option of options) command.addOption(option.helpGroup(group));
  };
  add(
    "The machine:",
    new Option("--memory <SIZE>", "RAM, such as 512MiB or 2GiB (default: 128MiB)"),
    new Option("--cpus <N>", "processors, 1 to 16 (default: 1)").argParser(integer(1, 16)),
    new Option("--model <NAME>", "processor model (default: westmere)").choices(modelNames),
    new Option("--executor <NAME>", "what runs the instructions; the evaluator is the slow oracle").choices([
      "interpreter",
      "evaluator",
    ]),
    new Option("--disk <FILE>", "one more disk; repeatable").argParser(append).default([], "none"),
    new Option("--write", "the guest's writes go to the image files, which must be raw").default(false, "no"),
    new Option("--disk-timing <NAME>", "how long disks take in virtual time (default: none)").choices([
      "none",
      "ssd",
      "hdd",
    ]),
    new Option("--no-msi", "the disk controller has no message-signalled interrupts"),
    new Option("--no-display", "no VGA"),
    new Option("--serial-console", "the screen of firmware, iPXE and loaders also goes to the serial port"),
    new Option("--no-serial-console", "it does not; the default unless the network is booted first"),
    new Option(
      "--start-date <DATE>",
      "what the clock shows at power-on: 2026-01-31, or now (default: 2023-11-14)",
    ).argParser(date),
    new Option("--seed <N>", "seeds RDRAND, RDSEED and the network's chance (default: 1)").argParser(
      integer(0, 2 ** 32),
    ),
    new Option(
      "--boot <ORDER>",
      "what the firmware tries: disk, network, or both with a comma (default: disk,network)",
    ).argParser(bootOrder),
  );
  add("The network:", ...networkOptions());
  add(
    "Snapshots:",
    new Option("--load <FILE>", "go on from a snapshot; its machine is the default, the images must be the same"),
    new Option("--save <FILE>", "write a snapshot when the run ends, or by Ctrl-A s"),
  );
  add(
    "In the terminal:",
    new Option("--screen", "show the VGA text screen and type on the PS/2 keyboard, not the serial port").default(
      false,
      "no",
    ),
    new Option("--plain", "serial output as it comes, nothing else; the default without a terminal").default(
      false,
      "no",
    ),
    new Option("--no-status", "no status line"),
    new Option("--pace", "hold virtual time back to the wall clock; the default in the terminal"),
    new Option("--no-pace", "as fast as it goes; the default with --plain or while a script runs"),
    new Option("--log <NAME>", "what firmware or programs print on debug ports, to stderr; repeatable")
      .choices(["firmware", "debug"])
      .argParser(logName)
      .default([], "none"),
  );
  add(
    "Scripts and measurements:",
    new Option(
      "--expect <TEXT>",
      "wait for a text on the serial port, or with --screen on the screen; repeatable",
    ).argParser(step("expect")),
    new Option(
      "--type <TEXT>",
      "type when the --expect before it was seen; both know \\n, \\x1b and the like",
    ).argParser(step("type")),
    new Option("--at-most <TIME>", "virtual time, such as 60s, 500ms or 2min").argParser(duration),
    new Option("--gdb <PORT>", "wait for gdb's `target remote localhost:PORT` and let it rule the machine").argParser(
      integer(0, 65535),
    ),
    new Option("--json <FILE>", "write a report: counts, times, digest; - for stdout, as its last line"),
    new Option("--screenshot <FILE>", "write the screen as PNG when the run ends"),
    new Option(
      "--trace <FILE>",
      "write VM entries and exits as a trace: open it at ui.perfetto.dev, which keeps it on your computer",
    ),
  );
  return command.action((image: string | undefined, given: Omit<BootOptions, "image" | "script">) => {
    const options = { ...given, image, script };
    checkTogether(options);
    return run(options);
  });
}

const append = (text: string, before: readonly string[]) => [...before, text];
function logName(text: string, before: readonly LogName[]): LogName[] {
  if (text === "firmware" || text === "debug") return [...before, text];
  throw new InvalidArgumentError("Allowed choices are firmware, debug.");
}

/** @throws UserError */
function checkTogether(options: BootOptions): void {
  const { image, disk, write, save, load, display, screen, screenshot, gdb, script, atMost } = options;
  if (write && image === undefined)
    throw new UserError("--write needs an image of your own: the demo disk is compressed and is never modified");
  if (write && (save !== undefined || load !== undefined))
    throw new UserError(
      "--write does not go with --save and --load: a snapshot holds what was written, so leave it out",
    );
  if (gdb !== undefined && (script.length > 0 || atMost !== undefined))
    throw new UserError("--gdb does not go with --expect, --type and --at-most: the debugger decides how far to run");
  if (disk.length > 5)
    throw new UserError(`--disk: ${disk.length} more disks; the controller has room for 5 beside IMAGE`);
  if (!display && (screen || screenshot !== undefined))
    throw new UserError(`--no-display does not go with ${screen ? "--screen" : "--screenshot"}: there is no screen`);
}
