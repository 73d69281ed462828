// Package lifecycle runs what lives as long as the process and ends it in order.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Service is something that runs until its context ends.
type Service struct {
	Name string
	Run  func(context.Context) error
}

// Config describes a process.
type Config struct {
	Services []Service
	Leave    func()                      // called first at the end: the process says that it isn't ready
	Lag      time.Duration               // how long it goes on as before then, since balancers learn of it late
	Drain    func(context.Context) error // then waits for work under way
	Patience time.Duration               // at most so long
	Grace    time.Duration               // how long services may take to end when they are told to
	Log      *slog.Logger
}

// Run starts all services and returns when all have ended, or when their grace is over. When ctx ends it leaves, lags, drains and stops them. A
// service that ends by itself stops the others, and its end is the error.
func Run(ctx context.Context, cfg Config) error {
	serving, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var running sync.WaitGroup
	var once sync.Once
	var failure error
	for _, service := range cfg.Services {
		running.Go(func() {
			err := service.Run(serving)
			if err != nil || serving.Err() == nil {
				once.Do(func() { failure = fmt.Errorf("%s ended: %w", service.Name, orUnexpected(err)) })
			}
			stop(nil)
		})
	}
	select {
	case <-serving.Done():
	case <-ctx.Done():
		wind(serving, cfg)
		stop(nil)
	}
	if !waitAtMost(&running, cfg.Grace) {
		cfg.Log.Warn("shutdown_forced", "note", "a service did not end in time", "grace_seconds", cfg.Grace.Seconds())
	}
	once.Do(func() {}) // from here on failure is settled
	return failure
}

// waitAtMost waits for the group and reports whether it ended in time. If not, its goroutines end with the process.
func waitAtMost(running *sync.WaitGroup, grace time.Duration) bool {
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-time.After(grace):
		return false
	}
}

// wind lets the process finish its work, unless a service ends meanwhile.
func wind(serving context.Context, cfg Config) {
	cfg.Log.Info("shutdown_begin", "lag_seconds", cfg.Lag.Seconds(), "patience_seconds", cfg.Patience.Seconds())
	cfg.Leave()
	select {
	case <-serving.Done():
		return
	case <-time.After(cfg.Lag):
	}
	patience, cancel := context.WithTimeout(serving, cfg.Patience)
	defer cancel()
	if err := cfg.Drain(patience); err != nil {
		cfg.Log.Warn("shutdown_cut", "error", err)
	}
}

func orUnexpected(err error) error {
	if err != nil {
		return err
	}
	return errors.New("it stopped by itself")
}
