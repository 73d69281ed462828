package disk

import (
	"errors"
	"fmt"

	"github.com/agent-memory/agent-memory/mlx/kv/tier"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// OpenLate opens a tier now or, when the folder can't be written, later. A folder that another process has,
// and a configuration that can't be, are errors at once.
func OpenLate(cfg Config) (*tier.Late, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("open disk tier: %w", err)
	}
	return tier.OpenLate(tier.LateConfig{
		Name: tierName, Budget: cfg.Budget, Advise: advise, Log: cfg.Log, WaitMin: cfg.ProbeMin, WaitMax: cfg.ProbeMax,
		Open: func() (tier.Running, error) {
			t, err := Open(cfg)
			if err != nil {
				return nil, err
			}
			return t, nil
		},
		IsFinal: func(err error) bool { return errors.Is(err, vfs.ErrLocked) },
	})
}
