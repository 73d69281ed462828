// A small pool whose threads share the items of one loop at a time by taking tickets. The caller works too
// and never waits for a thread that has not begun: a busy neighbour costs its share, not a stall.
#pragma once
#include <cstddef>

namespace am {

// Hands out items 0..count-1 in chunks; shared by the threads of one run.
struct Tickets {
  int next = 0;
  int count = 0;
  int chunk = 1;
  // Takes the next chunk as [*begin, *end); false when none is left.
  bool take(int* begin, int* end) {
    int b = __atomic_fetch_add(&next, chunk, __ATOMIC_RELAXED);
    if (b >= count) return false;
    *begin = b;
    *end = b + chunk < count ? b + chunk : count;
    return true;
  }
};

using Work = void (*)(void* context, int thread, Tickets& tickets);

// Number of threads that work, the caller included.
int pool_threads();
// Sets it; to be called before the first run or between runs, by the thread that runs.
void pool_resize(int threads);
// Runs work on all threads until the tickets are gone. One run at a time.
void pool_run(int count, int chunk, Work work, void* context);

// What a thread's scratch memory holds. Buffers that never live at the same time share a slot.
enum Slot : int {
  kPanelSlot,      // a dequantised panel
  kSumsSlot,       // the sums of a panel's rows
  kNormedSlot,     // normed rows, as the products of a prefill take them
  kRowSlot,        // one row or head
  kQuantisedSlot,  // rows as the products of a decode take them
  kQKVSlot,        // queries, keys and values before they are rotated
  kSlots,          // how many there are
  kScoresSlot = kPanelSlot,    // attention: scores of a chunk of keys and their numerators
  kOutputsSlot = kSumsSlot,    // attention: outputs, totals and maxima of the rows
  kPartialsSlot = kPanelSlot,  // attention: results of single blocks
};
// Scratch memory of one thread of the pool, 64-byte aligned, at least bytes long, kept until the thread ends.
void* scratch(Slot slot, size_t bytes);

// Large aligned memory on huge pages where the system has them. Never null: throws std::bad_alloc.
void* pages_alloc(size_t bytes);
void pages_free(void* p);

}  // namespace am
