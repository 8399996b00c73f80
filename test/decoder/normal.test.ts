import { suite } from "uvu";
import * as assert from "uvu/assert";
import { normalise } from "./normal.ts";

const test = suite("objdump's text in our words");

test("comments, symbols and columns go", () => {
  assert.is(normalise("lea    rdi,[rip+0x3]        # 0x2a", 64), "lea rdi,[rip+0x3]");
  assert.is(normalise("call   1234 <main+0x10>", 64), "call 1234");
});

test("redundant prefixes go, LOCK and what repeats stays", () => {
  assert.is(normalise("rex.W data16 cs nop WORD PTR [rax]", 64), "nop WORD PTR [rax]");
  assert.is(normalise("repz ret", 64), "ret");
  assert.is(normalise("xacquire lock add DWORD PTR [rax],ecx", 64), "lock add DWORD PTR [rax],ecx");
  assert.is(normalise("data16 rep stos WORD PTR es:[rdi],ax", 64), "rep stos WORD PTR es:[rdi],ax");
  assert.is(normalise("rex.WX", 64), "");
});

test("an index that is none goes", () => {
  assert.is(normalise("mov eax,DWORD PTR [rax+riz*8-0x10]", 64), "mov eax,DWORD PTR [rax-0x10]");
  assert.is(normalise("mov eax,DWORD PTR [riz*4-0x10]", 64), "mov eax,DWORD PTR ds:0xfffffffffffffff0");
  assert.is(normalise("mov eax,DWORD PTR fs:[eiz*1+0x28]", 32), "mov eax,DWORD PTR fs:0x28");
});

test("segments that are the usual ones go", () => {
  assert.is(normalise("mov eax,DWORD PTR ds:[ebp+0x0]", 32), "mov eax,DWORD PTR ds:[ebp+0x0]");
  assert.is(normalise("mov eax,DWORD PTR ss:[ebp+0x0]", 32), "mov eax,DWORD PTR [ebp+0x0]");
  assert.is(normalise("mov eax,DWORD PTR ds:[ebp*2+0x0]", 32), "mov eax,DWORD PTR [ebp*2+0x0]");
  assert.is(normalise("mov eax,DWORD PTR cs:[rax]", 64), "mov eax,DWORD PTR [rax]");
  assert.is(normalise("lods al,BYTE PTR cs:[rsi]", 64), "lods al,BYTE PTR ds:[rsi]");
});

test.run();
