/**
 * `npm run fuzz -- compiler`: random WebAssembly through our back end against V8. Before, the bugs of bugs.ts must be found.
 */
import { finish } from "../../../scripts/counts.ts";
import { bugCount, undetectedBugs } from "./bugs.ts";
import { compareProgram } from "./compare.ts";

export async function fuzzCompiler(seconds: number, seed: number, single: boolean): Promise<void> {
  const sum = { functions: 0, calls: 0, codeBytes: 0, instructions: 0 };
  let passed = 0;
  let failed = 0;
  if (!single) {
    const undetected = await undetectedBugs();
    for (const bug of undetected) console.log(`not found although put in on purpose: ${bug}`);
    failed += undetected.length;
    passed += bugCount - undetected.length;
  }
  const end = performance.now() + 1000 * seconds;
  for (let n = seed; failed < 10 && (n === seed || (!single && performance.now() < end)); n++) {
    try {
      const { difference, ...counts } = await compareProgram(n);
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += counts[key];
      if (difference === null) passed++;
      else {
        failed++;
        console.log(`seed ${n}: ${difference}`);
      }
    } catch (error) {
      failed++;
      console.log(`seed ${n}:`, error);
    }
  }
  const { functions, calls, codeBytes, instructions } = sum;
  console.log(`${functions} functions, ${calls} calls, ${codeBytes} bytes of code, ${instructions} instructions`);
  finish({ passed, failed });
}
