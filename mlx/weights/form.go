package weights

// Form is how a matrix lies in its file, and how it can lie in memory.
type Form struct {
	Kind       string // of the file's values
	IsFloat    bool   // they are floats of 16 or 32 bits
	FileBytes  int64
	PanelTypes []Type // what it may be packed from, the narrowest first
	Copied     int64  // bytes of the copy that is made of it while it is loaded
}

// Form describes a matrix without reading more of it than its scales.
func (m *Model) Form(name string, rows, inputs int) (f Form, err error) {
	if a := m.affine[name]; a != nil {
		return a.form(rows, inputs)
	}
	t, err := m.Tensor(name, rows, inputs)
	if err != nil {
		return f, err
	}
	isFloat := t.Type == F32 || t.Type == F16 || t.Type == BF16
	return Form{Kind: t.Type.String(), IsFloat: isFloat, FileBytes: int64(len(t.Data)), PanelTypes: t.PanelTypes()}, nil
}

// form is Form for what tensor would return.
func (a *affine) form(rows, inputs int) (f Form, err error) {
	bits, err := a.weightBits([]int{rows, inputs})
	if err != nil {
		return f, err
	}
	f = Form{Kind: "MLX affine", FileBytes: a.bytes(), PanelTypes: []Type{F32}, Copied: 4 * int64(rows) * int64(inputs)}
	kind := panelTypeOf(bits)
	if kind != F32 && fitsHalf(a.scales.Floats()) && fitsHalf(a.biases.Floats()) {
		_, bytes := kind.block()
		f.PanelTypes, f.Copied = []Type{kind, F32}, int64(rows)*int64(inputs)/blockLength*int64(bytes)
	}
	return f, nil
}
