/*
 * Real code for comparing executors: a C program of ours as a compiler writes it. It sorts, hashes (SHA-256), matches
 * strings, multiplies matrices in double and long double, walks a tree, and prints its results on the debug port E9h.
 *
 *     gcc -O2 -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none -mno-red-zone -nostdlib -static \
 *         -Wl,-Ttext=0x10000 -Wl,--oformat=binary -Wl,--build-id=none -o program.bin program.c
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

void run(void);
__attribute__((naked, section(".text.startup"))) void _start(void) { __asm__("call run\n1: hlt\n jmp 1b"); }

static void out(u8 c) { __asm__ volatile("outb %0, $0xe9" : : "a"(c)); }
static void text(const char *s) { while (*s) out(*s++); }
static void hex(u64 v, int digits) { while (digits--) out("0123456789abcdef"[v >> (4 * digits) & 15]); }

void *memcpy(void *to, const void *from, u64 n) { __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory"); return to; }
void *memset(void *to, int c, u64 n) { void *d = to; __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory"); return to; }

static u64 state = 88172645463325252ull;
static u64 next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state; }

#define ROTR(x, n) ((x) >> (n) | (x) << (32 - (n)))
static u32 k[64];
/* The constants are the fractions of cube roots of primes: found by integer search, so that no table need be typed. */
static void constants(void) {
  int n = 0;
  for (u32 p = 2; n < 64; p++) {
    int prime = 1;
    for (u32 d = 2; d * d <= p; d++) if (p % d == 0) prime = 0;
    if (!prime) continue;
    unsigned __int128 target = (unsigned __int128)p << 96, low = 0, high = (unsigned __int128)8 << 32;
    while (high - low > 1) { unsigned __int128 mid = (low + high) / 2; if (mid * mid * mid <= target) low = mid; else high = mid; }
    k[n++] = (u32)low;
  }
}
static void sha256(const u8 *data, u64 length, u32 h[8]) {
  static const u32 first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (int i = 0; i < 8; i++) h[i] = first[i];
  u8 block[64];
  for (u64 at = 0, done = 0; !done; at += 64) {
    for (int i = 0; i < 64; i++) block[i] = at + i < length ? data[at + i] : at + i == length ? 0x80 : 0;
    if (at + 56 > length) { done = 1; for (int i = 0; i < 8; i++) block[56 + i] = (length * 8) >> (56 - 8 * i); }
    u32 w[64], a[8];
    for (int i = 0; i < 16; i++) w[i] = block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
      u32 s0 = ROTR(w[i - 15], 7) ^ ROTR(w[i - 15], 18) ^ w[i - 15] >> 3, s1 = ROTR(w[i - 2], 17) ^ ROTR(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    for (int i = 0; i < 8; i++) a[i] = h[i];
    for (int i = 0; i < 64; i++) {
      u32 t1 = a[7] + (ROTR(a[4], 6) ^ ROTR(a[4], 11) ^ ROTR(a[4], 25)) + ((a[4] & a[5]) ^ (~a[4] & a[6])) + k[i] + w[i];
      u32 t2 = (ROTR(a[0], 2) ^ ROTR(a[0], 13) ^ ROTR(a[0], 22)) + ((a[0] & a[1]) ^ (a[0] & a[2]) ^ (a[1] & a[2]));
      for (int j = 7; j > 0; j--) a[j] = a[j - 1];
      a[4] += t1; a[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += a[i];
  }
}

static void sort(u64 *v, long low, long high) {
  while (low < high) {
    u64 pivot = v[(low + high) / 2]; long i = low, j = high;
    while (i <= j) { while (v[i] < pivot) i++; while (v[j] > pivot) j--; if (i <= j) { u64 t = v[i]; v[i++] = v[j]; v[j--] = t; } }
    if (j - low < high - i) { sort(v, low, j); low = i; } else { sort(v, i, high); high = j; }
  }
}

struct node { struct node *child[2]; u64 key; };
static struct node nodes[600]; static int used;
static void insert(struct node **at, u64 key) {
  while (*at) { if ((*at)->key == key) return; at = &(*at)->child[(*at)->key < key]; }
  *at = &nodes[used++]; (*at)->key = key;
}
static int depth(struct node *n) { if (!n) return 0; int l = depth(n->child[0]), r = depth(n->child[1]); return 1 + (l > r ? l : r); }

static u64 values[2000]; static u8 message[3000];
static double a[12][12], b[12][12], c[12][12];
void run(void) {
  __asm__ volatile("fninit");
  for (int i = 0; i < 2000; i++) values[i] = next();
  sort(values, 0, 1999);
  int sorted = 1;
  for (int i = 1; i < 2000; i++) sorted &= values[i - 1] <= values[i];
  text(sorted ? "sorted " : "NOT SORTED "); hex(values[1000], 16);

  constants();
  u32 h[8];
  sha256((const u8 *)"abc", 3, h);
  text("\nsha256(abc) "); for (int i = 0; i < 8; i++) hex(h[i], 8);
  for (int i = 0; i < 3000; i++) message[i] = next();
  sha256(message, 3000, h);
  text("\nsha256(random) "); for (int i = 0; i < 8; i++) hex(h[i], 8);

  struct node *root = 0;
  for (int i = 0; i < 600; i++) insert(&root, next() % 5000);
  text("\ntree "); hex(used, 4); text(" depth "); hex(depth(root), 2);

  for (int i = 0; i < 12; i++) for (int j = 0; j < 12; j++) { a[i][j] = (double)(long)(next() >> 20) / 1e6; b[i][j] = 1.0 / (1 + i + 2 * j); }
  for (int i = 0; i < 12; i++) for (int j = 0; j < 12; j++) { double s = 0; for (int m = 0; m < 12; m++) s += a[i][m] * b[m][j]; c[i][j] = s; }
  long double sum = 0;
  for (int i = 0; i < 12; i++) for (int j = 0; j < 12; j++) sum = sum * 0.5L + c[i][j];
  double d = (double)sum; u64 bits; memcpy(&bits, &d, 8);
  text("\nmatrix "); hex(bits, 16); text("\n");
}
