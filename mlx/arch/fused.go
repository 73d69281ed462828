package arch

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
func (c Config) Pieces(layer int, f Fused) []Piece {
	pieces := make([]Piece, len(f.Into))
	for i, part := range f.Into {
		pieces[i] = Piece{LayerPrefix(layer) + part, c.rows(c.Layers[layer], part)}
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
