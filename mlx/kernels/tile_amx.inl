// The register tile on AMX: 32 rows x 32 columns in four tile registers, bf16 pairs from two more on each
// side. Rows behind the last are computed too (kRowSlack) and land behind the last row of c, which its owners
// allow for.

#ifdef AM_EMULATED_TILES
#define TILE_LOAD(t, p, stride) emulated::load(t, p, stride)
#define TILE_STORE(t, p, stride) emulated::store(t, p, stride)
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
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
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

// The tile registers: four of sums, two of rows of a, and one for each column tile of b.
#define C00 0
#define C01 1
#define C10 2
#define C11 3
#define A0 4
#define A1 5
#define B0 6
#define B1 7

constexpr int kTileRows = 16, kTileRowBytes = 64;
constexpr int kStepPairs = kTileRowBytes / (2 * sizeof(uint16_t));  // pairs of inputs of one product of tiles

static void tile_16_rows(const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs, float* c,
                         size_t ldc, bool accumulate) {
  if (accumulate) {
    TILE_LOAD(C00, c, ldc * sizeof(float));
    TILE_LOAD(C01, c + kTileColumns, ldc * sizeof(float));
  } else {
    TILE_ZERO(C00);
    TILE_ZERO(C01);
  }
  for (int p = 0; p < pairs; p += kStepPairs) {
    TILE_LOAD(A0, a + 2 * p, lda * sizeof(uint16_t));
    TILE_LOAD(B0, b0 + p * kPairValues, kTileRowBytes);
    TILE_LOAD(B1, b1 + p * kPairValues, kTileRowBytes);
    TILE_DOT(C00, A0, B0);
    TILE_DOT(C01, A0, B1);
  }
  TILE_STORE(C00, c, ldc * sizeof(float));
  TILE_STORE(C01, c + kTileColumns, ldc * sizeof(float));
}

static void tile_32_rows(const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs, float* c,
                         size_t ldc, bool accumulate) {
  float* c2 = c + kTileRows * ldc;
  const uint16_t* a2 = a + kTileRows * lda;
  if (accumulate) {
    TILE_LOAD(C00, c, ldc * sizeof(float));
    TILE_LOAD(C01, c + kTileColumns, ldc * sizeof(float));
    TILE_LOAD(C10, c2, ldc * sizeof(float));
    TILE_LOAD(C11, c2 + kTileColumns, ldc * sizeof(float));
  } else {
    TILE_ZERO(C00);
    TILE_ZERO(C01);
    TILE_ZERO(C10);
    TILE_ZERO(C11);
  }
  for (int p = 0; p < pairs; p += kStepPairs) {
    TILE_LOAD(A0, a + 2 * p, lda * sizeof(uint16_t));
    TILE_LOAD(B0, b0 + p * kPairValues, kTileRowBytes);
    TILE_LOAD(B1, b1 + p * kPairValues, kTileRowBytes);
    TILE_LOAD(A1, a2 + 2 * p, lda * sizeof(uint16_t));
    TILE_DOT(C00, A0, B0);
    TILE_DOT(C01, A0, B1);
    TILE_DOT(C10, A1, B0);
    TILE_DOT(C11, A1, B1);
  }
  TILE_STORE(C00, c, ldc * sizeof(float));
  TILE_STORE(C01, c + kTileColumns, ldc * sizeof(float));
  TILE_STORE(C10, c2, ldc * sizeof(float));
  TILE_STORE(C11, c2 + kTileColumns, ldc * sizeof(float));
}

static void tile_product(int rows, const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs,
                         float* c, size_t ldc, bool accumulate) {
  asm volatile("" ::: "memory");  // tile loads do not see plain stores as dependencies (GCC 12)
  for (; rows > kTileRows; rows -= 2 * kTileRows, a += 2 * kTileRows * lda, c += 2 * kTileRows * ldc)
    tile_32_rows(a, lda, b0, b1, pairs, c, ldc, accumulate);
  if (rows > 0) tile_16_rows(a, lda, b0, b1, pairs, c, ldc, accumulate);
  asm volatile("" ::: "memory");
}

#undef C00
#undef C01
#undef C10
#undef C11
#undef A0
#undef A1
#undef B0
#undef B1
