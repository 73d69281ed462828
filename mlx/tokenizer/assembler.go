package tokenizer

// assembler puts a program together.
type assembler struct {
	program  []instruction
	memories int // places that a run of the program remembers
}

func (a *assembler) emit(i instruction) int {
	switch i.op {
	case opSplit:
		i.memo = a.memories
		a.memories++
	case opLook, opAtomic:
		i.memo = a.memories
		a.memories += 2
	}
	a.program = append(a.program, i)
	return len(a.program) - 1
}

func (a *assembler) here() int { return len(a.program) }

// insert puts an instruction before those from at on, which move.
func (a *assembler) insert(at int, i instruction) {
	a.emit(i)
	last := a.program[a.here()-1]
	copy(a.program[at+1:], a.program[at:])
	a.program[at] = last
	for n := at + 1; n < a.here(); n++ {
		moved := &a.program[n]
		moved.next, moved.other = shiftTarget(moved.next, at), shiftTarget(moved.other, at)
	}
}

func (a *assembler) truncate(to int) { a.program = a.program[:to] }

// mayBeEmpty tells whether the program can get from pc to end without a character. Where such a thing is
// repeated, engines differ in when they leave the loop, and a memory of failures would be wrong.
func (a *assembler) mayBeEmpty(pc, end int, seen map[int]bool) bool {
	if pc == end {
		return true
	}
	if seen[pc] {
		return false
	}
	seen[pc] = true
	switch i := &a.program[pc]; i.op {
	case opSplit:
		return a.mayBeEmpty(i.next, end, seen) || a.mayBeEmpty(i.other, end, seen)
	case opJump:
		return a.mayBeEmpty(i.next, end, seen)
	case opLook:
		return a.mayBeEmpty(i.other, end, seen)
	case opAtomic:
		return a.mayBeEmpty(i.next, i.other-1, seen) && a.mayBeEmpty(i.other, end, seen)
	case opPlace:
		return a.mayBeEmpty(pc+1, end, seen)
	}
	return false
}

func (a *assembler) setSplit(at, inside, after int, lazy bool) {
	if lazy {
		inside, after = after, inside
	}
	a.program[at].next, a.program[at].other = inside, after
}
