// Tiles of five and six bits: nibbles as in a Q4 tile, and the higher bits apart. A quarter of a tile is the
// nibbles of one register, which are four pairs of inputs. What is called for a tile or a panel stays a function of
// its own, so that the loops over the other formats are compiled as they were without it.

constexpr int kQuarters = kTilePairs / kNibbles;

// The four pairs of quarter Z as int16: 0 to 31.
template <int Z>
static inline void quarter_of(const Q5Tile& t, I (&w)[kNibbles]) {
  I low = load_i(t.nibbles + Z * kPairValues), high = load_i(t.high);
  w[0] = or_i(nibble<0>(low), field<kNibbles * Z - 4, 16>(high));
  w[1] = or_i(nibble<4>(low), field<kNibbles * Z - 3, 16>(high));
  w[2] = or_i(nibble<8>(low), field<kNibbles * Z - 2, 16>(high));
  w[3] = or_i(nibble<12>(low), field<kNibbles * Z - 1, 16>(high));
}

// The same of six bits: -32 to 31.
template <int Z>
static inline void quarter_of(const Q6Tile& t, I (&w)[kNibbles]) {
  constexpr int kFirst = Z % 2 * 2 * kNibbles - 4;  // where the field of the first pair would have its bit 4
  I low = load_i(t.nibbles + Z * kPairValues), high = load_i(t.high[Z / 2]);
  w[0] = minus_i16(or_i(nibble<0>(low), field<kFirst, 48>(high)), kQ6Zero);
  w[1] = minus_i16(or_i(nibble<4>(low), field<kFirst + 2, 48>(high)), kQ6Zero);
  w[2] = minus_i16(or_i(nibble<8>(low), field<kFirst + 4, 48>(high)), kQ6Zero);
  w[3] = minus_i16(or_i(nibble<12>(low), field<kFirst + 6, 48>(high)), kQ6Zero);
}

// The scales of a half's inputs, and the minima of all.
static inline F scale_of(const Q5Tile& t, int) { return load_half(t.scale); }
static inline F scale_of(const Q6Tile& t, int half) { return load_half(t.scale[half]); }
static inline F minimum_of(const Q5Tile& t) { return load_half(t.minimum); }
static inline F minimum_of(const Q6Tile&) { return set1(0); }

template <int Z, class T>
static inline void dequantise_quarter(const T& t, uint16_t* o) {
  I w[kNibbles];
  quarter_of<Z>(t, w);
  F d = scale_of(t, Z / 2), m = minimum_of(t);
  for (int j = 0; j < kNibbles; j++) store_weights(o + (Z * kNibbles + j) * kPairValues, w[j], d, m);
}

template <class T>
[[gnu::noinline]] static void dequantise_split(const T& t, uint16_t* o) {
  dequantise_quarter<0>(t, o);
  dequantise_quarter<1>(t, o);
  dequantise_quarter<2>(t, o);
  dequantise_quarter<3>(t, o);
}

// Adds the products of a quarter to the sums of its half of the inputs, which are integers: exact in any order.
template <int B, int Z, class T>
static inline void add_quarter(const T& t, int g, const QuantisedRow* x, I (&acc)[B][2]) {
  I w[kNibbles];
  quarter_of<Z>(t, w);
#pragma GCC unroll 4
  for (int b = 0; b < B; b++) {
    int32_t v[kNibbles];
    __builtin_memcpy(v, x[b].q + g * kGroup + Z * 2 * kNibbles, sizeof v);
#pragma GCC unroll 4
    for (int j = 0; j < kNibbles; j++) acc[b][Z / 2] = dot_i16(acc[b][Z / 2], v[j], w[j]);
  }
}

// What a tile's integer sums add to an element: one chain for each element, as for the other formats.
static inline F finish_sums(const Q5Tile&, F d, F m, F, const I (&acc)[2], const QuantisedRow& x, int g, F c) {
  c = fma(mul(to_float(add_i(acc[0], acc[1])), d), set1(x.scale[g]), c);
  return fma(m, set1(x.sum[g]), c);
}
static inline F finish_sums(const Q6Tile&, F d, F, F second, const I (&acc)[2], const QuantisedRow& x, int g, F c) {
  c = fma(mul(to_float(acc[0]), d), set1(x.scale[g]), c);
  return fma(mul(to_float(acc[1]), second), set1(x.scale[g]), c);
}

// As panel_q4 for the tiles of this file.
template <int B, class T>
[[gnu::noinline]] static void panel_split(const Matrix& w, const uint8_t* t, const QuantisedRow* x, F (*c)[2]) {
  constexpr int kBytes = kPanelTiles * sizeof(T), kGroupsAhead = 4;
  for (int g = 0; g < w.groups(); g++, t += kBytes) {
    for (int i = 0; i < kBytes; i += kCacheLine) __builtin_prefetch(t + kGroupsAhead * kBytes + i);
    for (int n = 0; n < kPanelTiles; n++) {
      const T& tile = ((const T*)t)[n];
      I acc[B][2];
      for (int b = 0; b < B; b++) acc[b][0] = acc[b][1] = zero_i();
      add_quarter<B, 0>(tile, g, x, acc);
      add_quarter<B, 1>(tile, g, x, acc);
      add_quarter<B, 2>(tile, g, x, acc);
      add_quarter<B, 3>(tile, g, x, acc);
      F d = scale_of(tile, 0), m = minimum_of(tile), second = scale_of(tile, 1);
      for (int b = 0; b < B; b++) c[b][n] = finish_sums(tile, d, m, second, acc[b], x[b], g, c[b][n]);
    }
  }
}
