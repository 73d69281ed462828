package disk

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// prober finds out whether a disk that failed works again.
type prober struct {
	cfg       *Config
	health    *health
	ownership *ownership
	folders   *folders
	evictor   *evictor
	writer    *writer
}

// probe writes a little, as a store does, and heals the tier if that works and the store that failed would
// fit now.
func (p *prober) probe(ctx context.Context) error {
	if err := p.ownership.ensure(); err != nil {
		return err
	}
	failed := p.health.failedStore()
	if err := p.ensureSpace(ctx, failed.size); err != nil {
		return err
	}
	for _, rel := range []string{tempDir + "/probe", quarantineDir + "/probe", currentVersion + "/probe", failed.path} {
		if err := p.folders.make(rel); err != nil {
			return err
		}
	}
	temp := p.writer.newTemp()
	_, err := p.writer.writeTemp(temp, make([]byte, unit))
	if err := errors.Join(err, p.writer.discard(temp), p.cfg.FS.SyncDir(p.cfg.at(tempDir))); err != nil {
		return err
	}
	p.health.heal()
	return nil
}

// ensureSpace evicts if the volume lacks the bytes, and fails if it still does then.
func (p *prober) ensureSpace(ctx context.Context, size int64) error {
	room := roomFor(int(size))
	free, err := p.evictor.free()
	if err != nil || free >= room {
		return err
	}
	if err := p.evictor.trim(ctx, room); err != nil {
		return err
	}
	if free, err = p.evictor.free(); err == nil && free < room {
		err = fmt.Errorf("%d bytes are free on the volume: %w", free, syscall.ENOSPC)
	}
	return err
}
