/** The options of `castaway vmm`: their texts and their values. */
import { Command, InvalidArgumentError, Option } from "commander";
import { integer } from "../units.ts";

export interface BuildOptions {
  readonly extension: readonly string[];
  readonly output: string;
  readonly debugFile?: string;
  /** How many activations of a function there can be at once, by its name. */
  readonly recursion: Readonly<Record<string, number>>;
}

export interface ProfileOptions {
  readonly columns?: number;
  readonly rows?: number;
}

const examples = `Examples:
  castaway vmm build --extension my-extension.ts --output my.elf
  castaway deploy --vmm my.elf --plain --log 1 --until devirtualized

  castaway vmm build --extension part.ts --extension whole.ts    whole.ts imports "./part.ts"
  castaway vmm build --debug-file vmm.debug.elf                  for gdb: it has symbols and lines

docs/extensions.md tells how an extension is written. What is wrong in it is told with file and line.`;

/** What each is to do with its options, which are checked; what it throws goes through. */
export interface VmmCommands {
  build(options: BuildOptions): Promise<void>;
  profile(log: string, options: ProfileOptions): Promise<void>;
}

export function vmmCommand(commands: VmmCommands): Command {
  return new Command("vmm")
    .summary("build the hypervisor, with extensions")
    .description("The hypervisor as a program: see castaway vmm build --help.")
    .addCommand(buildCommand(commands))
    .addCommand(profileCommand(commands));
}

function profileCommand({ profile }: VmmCommands): Command {
  return new Command("profile")
    .summary("draw what the access profiler wrote to a log")
    .description(
      "Draws which parts of a disk a boot touched, and when, from a log of the extension\n" +
        "access-profiler.ts: digits are tenths of the time, w was only written.",
    )
    .argument("<LOG>", "what castaway deploy --plain --log 1 printed")
    .option("--columns <N>", "characters of a line (default: 64)", integer(1, 1000))
    .option("--rows <N>", "lines at most (default: 16)", integer(1, 1000))
    .action((log: string, options: ProfileOptions) => profile(log, options));
}

function buildCommand({ build: run }: VmmCommands): Command {
  const build = new Command("build")
    .summary("compile the hypervisor, with extensions of your own")
    .description(
      "Compiles the hypervisor to a multiboot program, with extensions: TypeScript files\n" +
        "that intercept, observe or decide something while a disk is deployed.",
    )
    .addHelpText("after", `\n${examples}`);
  const options = [
    new Option("--extension <FILE>", "is compiled with it; repeatable").argParser(append).default([], "none"),
    new Option("--output <FILE>", "where the program goes").default("vmm.elf"),
    new Option("--debug-file <FILE>", "the same as a 64-bit file, for gdb"),
    new Option(
      "--recursion <NAME=COUNT>",
      "how many activations of a recursive function there can be at once; repeatable",
    )
      .argParser(bound)
      .default({}, "none"),
  ];
  for (const option of options) build.addOption(option);
  return build.action((given: BuildOptions) => run(given));
}

const append = (text: string, before: readonly string[]) => [...before, text];

function bound(text: string, before: Readonly<Record<string, number>>): Record<string, number> {
  const at = text.lastIndexOf("=");
  if (at < 1) throw new InvalidArgumentError('Write a name and a number, such as "extensions/mine/count=20".');
  return { ...before, [text.slice(0, at)]: integer(1, 1000)(text.slice(at + 1)) };
}
