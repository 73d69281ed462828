// The flat face of MLX's C++ API that Go calls. A call that can fail returns null (or non-zero) and leaves
// its reason for am_error of the same thread. Everything here is called on the one thread that owns the
// device.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct am_array am_array;
typedef struct am_matrix am_matrix;
typedef struct am_batch am_batch;
typedef struct am_rope am_rope;

const char* am_error(void);

// ---- Device and memory
int am_device_open(int gpu);          // makes it the default of this thread
int am_gpu_available(void);
size_t am_active_memory(void);
void am_give_back(void);  // freed memory that is kept for reuse goes to the system
int am_set_limits(size_t active, size_t cache);  // active: refuse arrays beyond it, 0 for none

// ---- Arrays
enum am_dtype_code { AM_FLOAT32, AM_BFLOAT16, AM_FLOAT16, AM_INT32, AM_UINT32, AM_UINT16, AM_BOOL, AM_DTYPES };
enum am_binary_code { AM_ADD, AM_MULTIPLY, AM_MATMUL, AM_LESS_EQUAL, AM_BINARIES };
enum am_unary_code { AM_SIGMOID, AM_CONTIGUOUS, AM_TANH, AM_UNARIES };

am_array* am_from_data(const void* data, const int* shape, int ndim, int dtype);
void am_free(am_array*);
int am_eval(am_array** arrays, int n);
int am_ndim(const am_array*);
int am_dim(const am_array*, int axis);
int am_dtype(const am_array*);
size_t am_size(const am_array*);
const void* am_data(am_array*);  // evaluated and row-contiguous, valid while the array lives
int am_describe(const am_array*, char* out, size_t n);

am_array* am_binary(int op, const am_array* a, const am_array* b);
am_array* am_unary(int op, const am_array* a);
am_array* am_astype(const am_array*, int dtype);
am_array* am_reshape(const am_array*, const int* shape, int ndim);
am_array* am_transpose(const am_array*, const int* axes, int ndim);
am_array* am_slice(const am_array*, const int* start, const int* stop, int ndim);
am_array* am_slice_update(const am_array*, const am_array* update, const int* start, const int* stop, int ndim);
am_array* am_concat(am_array* const* arrays, int n, int axis);
am_array* am_take(const am_array*, const am_array* indices, int axis);
am_array* am_take_along(const am_array*, const am_array* indices, int axis);
am_array* am_argsort(const am_array*, int axis);  // stable, the smallest first
am_array* am_sum(const am_array*, int axis);
am_array* am_gather_matmul(const am_array* a, const am_array* b, const am_array* indices);  // a b[indices]
am_array* am_softmax(const am_array*, int axis);
am_array* am_rms_norm(const am_array* x, const am_array* w, float eps);
am_array* am_rotate(const am_array* x, int dims, float scale, int offset, const am_array* freqs);
am_array* am_attention(const am_array* q, const am_array* k, const am_array* v, float scale, const am_array* mask);

// ---- Own kernels (CPU). isa: plain, avx2, avx512, amx or auto.
const void* am_kernels_open(const char* isa, int threads);
const char* am_kernels_name(const void* kernels);

am_matrix* am_matrix_new(int n, int k, int source);  // source: am::Source
int am_matrix_pack(am_matrix*, int source, const void* rows, int count, const int32_t* columns);
int am_matrix_column(const am_matrix*, int n, float* out);
size_t am_matrix_bytes(const am_matrix*);
void am_matrix_free(am_matrix*);

uint16_t* am_block_new(size_t elements);
void am_block_clear(uint16_t*, size_t elements);
void am_block_copy(uint16_t* to, const uint16_t* from, size_t elements);
void am_block_free(uint16_t*);

am_rope* am_rope_new(const float* cos, const float* sin, int positions, int half);
void am_rope_free(am_rope*);

am_batch* am_batch_new(int phase);  // phase: am::Phase
void am_batch_add_rows(am_batch*, int rows);  // of no sequence
int am_batch_add(am_batch*, uint16_t* const* blocks, int nblocks, int start, int rows);
void am_batch_free(am_batch*);

typedef struct {
  int heads, kv_heads, head_dim;
} am_heads;

void am_block_to_rows(const uint16_t*, am_heads, int layers, int tokens, void* rows);
void am_block_from_rows(uint16_t*, am_heads, int layers, int tokens, const void* rows);
size_t am_rest_bytes(am_heads, size_t elements, int bits);
void am_rest_pack(am_heads, const void* rows, size_t elements, int bits, void* out);
void am_rest_unpack(am_heads, const void* in, size_t elements, int bits, void* rows);

typedef struct {
  float scale, cap;
  int window;
} am_scoring;

typedef struct {
  const am_array* weight;
  float eps;
} am_norm;

typedef struct {
  const am_matrix* w;
  const am_array* bias;  // null for none
} am_linear;

// am::Projection
typedef struct {
  am_norm norm;
  am_linear qkv;
  const am_array *q_norm, *k_norm;  // null for none
  am_heads heads;
  const am_rope* rope;
} am_projection;

am_array* am_k_embed(const void* kernels, const am_matrix*, const am_array* ids, float scale);
am_array* am_k_norm_qkv_rope(const void* kernels, const am_array* h, am_projection, const am_batch*, int layer);
am_array* am_k_attention(const void* kernels, const am_array* q, am_heads, am_scoring, const am_batch*, int layer);
am_array* am_k_linear_residual(const void* kernels, const am_array* x, am_linear, const am_array* res, const am_batch*);
am_array* am_k_linear_norm_residual(const void* kernels, const am_array* x, am_linear, am_norm, const am_array* res, const am_batch*);
am_array* am_k_norm_gate_up(const void* kernels, int gate, const am_array* h, am_norm, const am_matrix*, const am_batch*);  // gate: am::Gate
am_array* am_k_soft_cap(const void* kernels, const am_array* x, float cap);
am_array* am_k_norm_head(const void* kernels, const am_array* h, am_norm, const am_matrix*);

#ifdef __cplusplus
}
#endif
