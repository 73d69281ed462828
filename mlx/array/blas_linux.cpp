// MLX's wheel brings the reference BLAS. The first cblas_sgemm in the link order wins, so this one forwards
// to OpenBLAS, which is some twenty times faster. It serves the stock float32 operators only.
#if defined(__linux__)
extern "C" {
void scipy_cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda, const float* b,
                       int ldb, float beta, float* c, int ldc);
__attribute__((visibility("default"))) void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha,
                                                        const float* a, int lda, const float* b, int ldb, float beta,
                                                        float* c, int ldc) {
  scipy_cblas_sgemm(order, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
}
#endif
