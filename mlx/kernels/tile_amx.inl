// The register tile on AMX: 32 rows x 32 columns in four tile registers, bf16 pairs from two more on each side.
// Rows behind the last are computed too (kRowSlack) and land behind the last row of c, which its owners allow for.

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

static void tile_16_rows(const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs, float* c, size_t ldc, bool accumulate) {
  if (accumulate) {
    _tile_loadd(0, c, ldc * 4);
    _tile_loadd(1, c + 16, ldc * 4);
  } else {
    _tile_zero(0);
    _tile_zero(1);
  }
  for (int p = 0; p < pairs; p += 16) {
    _tile_loadd(4, a + 2 * p, lda * 2);
    _tile_loadd(6, b0 + p * 32, 64);
    _tile_loadd(7, b1 + p * 32, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, c, ldc * 4);
  _tile_stored(1, c + 16, ldc * 4);
}

static void tile_32_rows(const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs, float* c, size_t ldc, bool accumulate) {
  float* c2 = c + 16 * ldc;
  const uint16_t* a2 = a + 16 * lda;
  if (accumulate) {
    _tile_loadd(0, c, ldc * 4);
    _tile_loadd(1, c + 16, ldc * 4);
    _tile_loadd(2, c2, ldc * 4);
    _tile_loadd(3, c2 + 16, ldc * 4);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int p = 0; p < pairs; p += 16) {
    _tile_loadd(4, a + 2 * p, lda * 2);
    _tile_loadd(6, b0 + p * 32, 64);
    _tile_loadd(7, b1 + p * 32, 64);
    _tile_loadd(5, a2 + 2 * p, lda * 2);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, ldc * 4);
  _tile_stored(1, c + 16, ldc * 4);
  _tile_stored(2, c2, ldc * 4);
  _tile_stored(3, c2 + 16, ldc * 4);
}

static void tile_product(int rows, const uint16_t* a, size_t lda, const uint16_t* b0, const uint16_t* b1, int pairs,
                         float* c, size_t ldc, bool accumulate) {
  asm volatile("" ::: "memory");  // tile loads do not see plain stores as dependencies (GCC 12)
  for (; rows > 16; rows -= 32, a += 32 * lda, c += 32 * ldc) tile_32_rows(a, lda, b0, b1, pairs, c, ldc, accumulate);
  if (rows > 0) tile_16_rows(a, lda, b0, b1, pairs, c, ldc, accumulate);
  asm volatile("" ::: "memory");
}
