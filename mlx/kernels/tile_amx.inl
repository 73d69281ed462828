// The register tile on AMX: 32 rows x 32 columns in four tile registers, bf16 pairs from two more on each side.
// Rows behind the last are computed too (kRowSlack) and land behind the last row of c, which its owners allow for.

#ifdef AM_EMULATED_TILES
#define TILE_LOAD(t, p, stride) emulated::load(t, p, stride)
#define TILE_STORE(t, p, stride) emulated::stored(t, p, stride)
#define TILE_ZERO(t) emulated::zero(t)
#define TILE_DOT(c, a, b) emulated::dot(c, a, b)
struct TileSession {
  TileSession() {}
};
#else
#define TILE_LOAD(t, p, stride) _tile_loadd(t, p, stride)
#define TILE_STORE(t, p, stride) _tile_stored(t, p, stride)
#define TILE_ZERO(t) _tile_zero(t)
#define TILE_DOT(c, a, b) _tile_dpbf16ps(c, a, b)
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Configures the tiles of this thread while it lives.
struct TileSession {
  TileSession() {
    static const TileConfig config;
    _tile_loadconfig(&config);
  }
  ~TileSession() { _tile_release(); }
};
#endif

static void tile_16_rows(const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs, float* c, size_t ldc, bool accumulate) {
  if (accumulate) {
    TILE_LOAD(0, c, ldc * 4);
    TILE_LOAD(1, c + 16, ldc * 4);
  } else {
    TILE_ZERO(0);
    TILE_ZERO(1);
  }
  for (int p = 0; p < pairs; p += 16) {
    TILE_LOAD(4, a + 2 * p, lda * 2);
    TILE_LOAD(6, b0 + p * 32, 64);
    TILE_LOAD(7, b1 + p * 32, 64);
    TILE_DOT(0, 4, 6);
    TILE_DOT(1, 4, 7);
  }
  TILE_STORE(0, c, ldc * 4);
  TILE_STORE(1, c + 16, ldc * 4);
}

static void tile_32_rows(const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs, float* c, size_t ldc, bool accumulate) {
  float* c2 = c + 16 * ldc;
  const uint16_t* a2 = a + 16 * lda;
  if (accumulate) {
    TILE_LOAD(0, c, ldc * 4);
    TILE_LOAD(1, c + 16, ldc * 4);
    TILE_LOAD(2, c2, ldc * 4);
    TILE_LOAD(3, c2 + 16, ldc * 4);
  } else {
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
  }
  for (int p = 0; p < pairs; p += 16) {
    TILE_LOAD(4, a + 2 * p, lda * 2);
    TILE_LOAD(6, b0 + p * 32, 64);
    TILE_LOAD(7, b1 + p * 32, 64);
    TILE_LOAD(5, a2 + 2 * p, lda * 2);
    TILE_DOT(0, 4, 6);
    TILE_DOT(1, 4, 7);
    TILE_DOT(2, 5, 6);
    TILE_DOT(3, 5, 7);
  }
  TILE_STORE(0, c, ldc * 4);
  TILE_STORE(1, c + 16, ldc * 4);
  TILE_STORE(2, c2, ldc * 4);
  TILE_STORE(3, c2 + 16, ldc * 4);
}

static void tile_product(int rows, const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs,
                         float* c, size_t ldc, bool accumulate) {
  asm volatile("" ::: "memory");  // tile loads do not see plain stores as dependencies (GCC 12)
  for (; rows > 16; rows -= 32, a += 32 * lda, c += 32 * ldc) tile_32_rows(a, lda, b0, b1, pairs, c, ldc, accumulate);
  if (rows > 0) tile_16_rows(a, lda, b0, b1, pairs, c, ldc, accumulate);
  asm volatile("" ::: "memory");
}
