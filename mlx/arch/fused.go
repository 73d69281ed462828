package arch

import (
	"strconv"
	"strings"
)

// Fused is a tensor of a layer whose rows are those of several others, one behind the other: a file may hold it in
// their place.
type Fused struct {
	Part string   // its name here, behind the layer's
	Into []string // those of the others
}

// Piece is a part of a fused tensor.
type Piece struct {
	Name string // canonical
	Rows int
}

// Pieces are what a fused tensor of a layer holds.
func (c Config) Pieces(layer int, f Fused) (pieces []Piece) {
	l, prefix := c.Layers[layer], LayerPrefix(layer)
	for _, part := range f.Into {
		rows := c.rows(l, part[strings.LastIndexByte(part, '.')+1:])
		if !strings.Contains(part, anyExpert) {
			pieces = append(pieces, Piece{prefix + part, rows})
			continue
		}
		for e := range l.Experts.Count {
			pieces = append(pieces, Piece{prefix + strings.Replace(part, anyExpert, strconv.Itoa(e), 1), rows})
		}
	}
	return pieces
}

// rows is how many a part of a layer has.
func (c Config) rows(l Layer, part string) int {
	switch part {
	case "q":
		return l.QueryRows()
	case "k", "v":
		return l.KVRows()
	case "gate", "up":
		return l.Intermediate
	}
	return c.Hidden
}
