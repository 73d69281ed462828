package auth

import "context"

// entered is a request that goes on with a key of the directory.
type entered struct{ cancel context.CancelCauseFunc }

// enter lets a request go on for as long as its key holds. It is false if the key has to be looked up anew.
func (k *known) enter(ctx context.Context, f finding) (until context.Context, leave func(), ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f.revision != k.revision {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	expire := func() {}
	if !f.key.Expires.IsZero() {
		ctx, expire = context.WithDeadlineCause(ctx, f.key.Expires, ErrExpired)
	}
	e, id := &entered{cancel}, f.key.ID
	if k.running[id] == nil {
		k.running[id] = map[*entered]bool{}
	}
	k.running[id][e] = true
	return ctx, func() {
		k.leave(id, e)
		expire()
		cancel(nil)
	}, true
}

func (k *known) leave(id string, e *entered) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.running[id], e)
	if len(k.running[id]) == 0 {
		delete(k.running, id)
	}
}

// cut ends the requests of a key. The caller holds mu.
func (k *known) cut(id string) {
	for e := range k.running[id] {
		e.cancel(ErrRevoked)
	}
}
