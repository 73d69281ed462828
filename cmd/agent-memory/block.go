package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
)

type blockCommand struct {
	Inspect inspectCommand `cmd:"" help:"Print what a block file says of itself, and check that it is whole."`
}

type inspectCommand struct {
	printed
	File string `arg:"" type:"existingfile" help:"Block file (docs/block-format.md)."`
}

// inspection is what is printed of a block.
type inspection struct {
	Key         string            `json:"key"`
	Parent      string            `json:"parent"`
	Fingerprint string            `json:"fingerprint"`
	Salt        string            `json:"salt_id"`
	Index       int               `json:"index"`
	Tokens      int               `json:"tokens"`
	Bits        int               `json:"bits"`
	Class       string            `json:"numerics_class"`
	Bytes       int64             `json:"bytes"`
	Layers      []layerInspection `json:"layers"`
}

type layerInspection struct {
	Kind    string `json:"kind"`
	KVHeads int    `json:"kv_heads"`
	HeadDim int    `json:"head_dim"`
	Window  int    `json:"window,omitempty"`
	Bytes   int64  `json:"bytes"`
	Whole   bool   `json:"whole"`
}

// Run prints the block and fails if it is damaged. It needs no secret, so it can't tell who wrote the block.
func (c inspectCommand) Run(to streams) error {
	view, err := inspect(c.File)
	if err != nil {
		return fmt.Errorf("inspect %s: %w", c.File, err)
	}
	if err := c.print(to, view, view.fill); err != nil {
		return err
	}
	return view.damage(c.File)
}

func inspect(path string) (*inspection, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	h, err := blockfile.ReadHeader(file, info.Size())
	if err != nil {
		return nil, err
	}
	found := &inspection{
		Key: h.Key.String(), Parent: h.Parent.String(), Fingerprint: h.Fingerprint.String(), Salt: h.Salt.String(),
		Index: h.Index, Tokens: len(h.Tags), Bits: h.Bits, Class: h.Class, Bytes: h.Bytes,
	}
	for _, l := range h.Layers {
		whole, err := h.Whole(file, l)
		if err != nil {
			return nil, err
		}
		found.Layers = append(found.Layers, layerInspection{l.Kind.String(), l.KVHeads, l.HeadDim, l.Window, l.Length, whole})
	}
	return found, nil
}

// fill writes the table.
func (i *inspection) fill(t *tabwriter.Writer) {
	fmt.Fprintf(t, "key\t%s\nparent\t%s\nfingerprint\t%s\nsalt id\t%s\nblock\t%d, %d tokens\nbits\t%d\nclass\t%s\nbytes\t%d\n",
		i.Key, i.Parent, i.Fingerprint, i.Salt, i.Index, i.Tokens, i.Bits, i.Class, i.Bytes)
	for n, l := range i.Layers {
		fmt.Fprintf(t, "layer %d\t%s, %d KV heads of %d, window %d, %d bytes, whole: %t\n",
			n, l.Kind, l.KVHeads, l.HeadDim, l.Window, l.Bytes, l.Whole)
	}
}

// damage is the error for a block with a layer that is not whole.
func (i *inspection) damage(path string) error {
	for n, l := range i.Layers {
		if !l.Whole {
			return fmt.Errorf("inspect %s: layer %d: %w; it would be quarantined and computed again", path, n, kv.ErrDamaged)
		}
	}
	return nil
}
