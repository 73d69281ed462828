package model

import (
	"math"

	"github.com/agent-memory/agent-memory/mlx/arch"
)

// routes say which expert computes what of some rows. Every expert's rows are in order, and the outputs of one lie
// behind those of the expert before.
type routes struct {
	rows   [][]int32   // by expert
	places [][]int32   // by rank and row: where the output of a row's expert of that rank lies among all
	shares [][]float32 // by rank and row: what that output is multiplied with
}

// route sends each row to the experts of its largest scores, the first of equal ones first. A row's part of the result
// depends on its own scores alone, but for the places. scores are [rows][experts].
func route(scores []float32, x arch.Experts) routes {
	n := len(scores) / x.Count
	r := routes{rows: make([][]int32, x.Count), places: make([][]int32, x.Used), shares: make([][]float32, x.Used)}
	experts := make([][]int, n) // by row and rank
	for row := range n {
		own := scores[row*x.Count : (row+1)*x.Count]
		experts[row] = largest(own, x.Used)
		for j, share := range sharesOf(own, experts[row], x.IsNormed) {
			e := experts[row][j]
			r.places[j] = append(r.places[j], int32(len(r.rows[e]))) // among the expert's
			r.shares[j] = append(r.shares[j], share)
			r.rows[e] = append(r.rows[e], int32(row))
		}
	}
	starts := startsOf(r.rows)
	for j, places := range r.places {
		for row := range places {
			places[row] += starts[experts[row][j]]
		}
	}
	return r
}

// startsOf are the places of each expert's first output.
func startsOf(rows [][]int32) []int32 {
	starts, next := make([]int32, len(rows)), int32(0)
	for e := range rows {
		starts[e] = next
		next += int32(len(rows[e]))
	}
	return starts
}

// largest are the places of the n largest scores, the largest first.
func largest(scores []float32, n int) []int {
	best := make([]int, 0, n+1)
	for i, score := range scores {
		at := len(best)
		for at > 0 && score > scores[best[at-1]] {
			at--
		}
		if at < n {
			best = append(best, 0)
			copy(best[at+1:], best[at:])
			best[at] = i
			best = best[:min(len(best), n)]
		}
	}
	return best
}

// sharesOf are the probabilities of the chosen experts among all, or with isNormed among the chosen.
func sharesOf(scores []float32, chosen []int, isNormed bool) []float32 {
	top, sum := float64(scores[chosen[0]]), 0.0
	if isNormed {
		for _, e := range chosen {
			sum += math.Exp(float64(scores[e]) - top)
		}
	} else {
		for _, score := range scores {
			sum += math.Exp(float64(score) - top)
		}
	}
	shares := make([]float32, len(chosen))
	for j, e := range chosen {
		shares[j] = float32(math.Exp(float64(scores[e])-top) / sum)
	}
	return shares
}
