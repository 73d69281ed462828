#include "threads.h"

#include "kernels.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include "intrinsics.h"
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace am {
namespace {

constexpr uint64_t kOpen = 1ull << 31;
constexpr int kSpins = 20000;  // some 100 us: longer than the gap between two operators of a step

void pause_cpu() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// Denormals cost a hundred cycles each and carry nothing here.
void flush_denormals() {
#if defined(__x86_64__)
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
#endif
}

// state is generation << 32 | open << 31 | threads inside. A thread enters a run by raising the low bits
// while the run is open; the caller closes it and waits only for those inside.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 1; i < threads; i++) workers_.emplace_back([this, i] { serve(i); });
  }

  ~Pool() {
    stop_ = true;
    wake_.fetch_add(1);
    wake_.notify_all();
    for (auto& w : workers_) w.join();
  }

  int threads() const { return (int)workers_.size() + 1; }

  void run(int count, int chunk, Work work, void* context) {
    flush_denormals();
    tickets_ = Tickets{0, count, chunk};
    if (workers_.empty() || count <= chunk) {
      work(context, 0, tickets_);
      return;
    }
    work_ = work;
    context_ = context;
    generation_++;
    state_.store(generation_ << 32 | kOpen);
    wake_.fetch_add(1);
    if (sleepers_.load() > 0) wake_.notify_all();
    work(context, 0, tickets_);
    state_.fetch_and(~kOpen);
    for (int spins = 0; (state_.load() & (kOpen - 1)) != 0; spins++) {
      pause_cpu();
      if (spins > kSpins) std::this_thread::yield();
    }
  }

 private:
  bool enter(uint64_t* last_run) {
    uint64_t s = state_.load();
    while ((s & kOpen) && s >> 32 != *last_run) {
      if (state_.compare_exchange_weak(s, s + 1)) {
        *last_run = s >> 32;
        return true;
      }
    }
    return false;
  }

  void serve(int id) {
    flush_denormals();
    uint64_t last_run = 0;
    for (int spins = 0; !stop_; spins++) {
      uint32_t wakes = wake_.load();
      if (enter(&last_run)) {
        work_(context_, id, tickets_);
        state_.fetch_sub(1);
        spins = 0;
        continue;
      }
      pause_cpu();
      if (spins < kSpins) continue;
      sleepers_.fetch_add(1);
      if (!stop_ && !(state_.load() & kOpen)) wake_.wait(wakes);
      sleepers_.fetch_sub(1);
      spins = 0;
    }
  }

  std::vector<std::thread> workers_;
  std::atomic<uint64_t> state_{0};
  std::atomic<uint32_t> wake_{0};  // counts the runs: a thread that sleeps waits for it to change
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  uint64_t generation_ = 0;
  Work work_ = nullptr;
  void* context_ = nullptr;
  Tickets tickets_;
};

struct Buffers {
  void* p[kSlots] = {};
  size_t n[kSlots] = {};
  ~Buffers() {
    for (void* q : p) free(q);
  }
};

std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> p = std::make_unique<Pool>((int)std::max(1u, std::thread::hardware_concurrency()));
  return p;
}

}  // namespace

int pool_threads() { return pool()->threads(); }

void pool_resize(int threads) {
  if (threads != pool()->threads()) pool() = std::make_unique<Pool>(threads);
}

void pool_run(int count, int chunk, Work work, void* context) { pool()->run(count, chunk, work, context); }

void* scratch(Slot slot, size_t bytes) {
  thread_local Buffers buffers;
  if (bytes > buffers.n[slot]) {
    free(buffers.p[slot]);
    buffers.n[slot] = 0;
    buffers.p[slot] = pages_alloc(bytes);
    buffers.n[slot] = bytes;
  }
  return buffers.p[slot];
}

void* pages_alloc(size_t bytes) {
  constexpr size_t kHugePage = 2u << 20;
  size_t align = bytes >= kHugePage ? kHugePage : kCacheLine;
  size_t n = (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;  // not of whole huge pages: a block takes what the budget counts
  void* p = nullptr;
  if (posix_memalign(&p, align, n == 0 ? align : n)) throw std::bad_alloc();
#if defined(__linux__)
  if (align == kHugePage) madvise(p, n, MADV_HUGEPAGE);
#endif
  memset(p, 0, n);
  return p;
}

void pages_free(void* p) { free(p); }

}  // namespace am
