package model

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// TestRowsFindTheirExperts holds routes to a definition that sorts: every row's output of each rank comes from the
// expert of that rank, and lies where that expert's output of the row lies.
func TestRowsFindTheirExperts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := arch.Experts{Count: rapid.IntRange(1, 9).Draw(t, "experts"), IsNormed: rapid.Bool().Draw(t, "normed")}
		x.Used = rapid.IntRange(1, x.Count).Draw(t, "used")
		n := rapid.IntRange(1, 12).Draw(t, "rows")
		scores := make([]float32, n*x.Count)
		for i := range scores {
			scores[i] = float32(rapid.IntRange(-4, 4).Draw(t, "score")) // with equal ones among them
		}
		r := route(scores, x)
		var outputs [][2]int // expert and row
		for e, rows := range r.rows {
			for _, row := range rows {
				outputs = append(outputs, [2]int{e, int(row)})
			}
		}
		if len(outputs) != n*x.Used {
			t.Fatalf("%d outputs of %d rows with %d experts each", len(outputs), n, x.Used)
		}
		for row := range n {
			checkRow(t, r, x, row, scores[row*x.Count:(row+1)*x.Count], outputs)
		}
	})
}

func checkRow(t *rapid.T, r routes, x arch.Experts, row int, scores []float32, outputs [][2]int) {
	order, all, used := make([]int, x.Count), 0.0, 0.0
	for e := range order {
		order[e] = e
		all += math.Exp(float64(scores[e]))
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(scores[b] - scores[a]) })
	for _, e := range order[:x.Used] {
		used += math.Exp(float64(scores[e]))
	}
	if !x.IsNormed {
		used = all
	}
	for j, e := range order[:x.Used] {
		if got := outputs[r.places[j][row]]; got != [2]int{e, row} {
			t.Fatalf("rank %d of row %d is expert and row %v, expected %d of the row", j, row, got, e)
		}
		if want := math.Exp(float64(scores[e])) / used; math.Abs(float64(r.shares[j][row])-want) > 1e-6 {
			t.Fatalf("rank %d of row %d has a share of %g, expected %g", j, row, r.shares[j][row], want)
		}
	}
}
