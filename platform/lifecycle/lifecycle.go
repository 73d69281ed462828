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
	Foundation []Service                   // what the services stand on: told to end when these have ended
	Services   []Service                   // what does the work
	Leave      func()                      // called first at the end: the process says that it isn't ready
	Lag        time.Duration               // how long it goes on as before then, since balancers learn of it late
	Drain      func(context.Context) error // then waits for work under way
	Patience   time.Duration               // at most so long
	Grace      time.Duration               // how long the services, and then the foundation, may take to end when told to
	Log        *slog.Logger
}

// Run starts everything and returns when all has ended, or when its grace is over. When ctx ends it leaves,
// lags, drains and stops the services, and then the foundation. What ends by itself stops all the rest, and
// its end is the error.
func Run(ctx context.Context, cfg Config) error {
	var first failure
	foundationCtx, stopFoundation := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFoundation()
	servicesCtx, stopServices := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServices()
	foundation := first.start(foundationCtx, cfg.Foundation, stopServices)
	services := first.start(servicesCtx, cfg.Services, stopServices)
	select {
	case <-servicesCtx.Done():
	case <-ctx.Done():
		finishWork(servicesCtx, cfg)
		stopServices()
	}
	waitWithGrace(services, cfg)
	stopFoundation()
	waitWithGrace(foundation, cfg)
	return first.final()
}

// failure is the first end of a service that nobody asked for.
type failure struct {
	once sync.Once
	err  error
}

// start runs services. One that ends has the others stopped.
func (f *failure) start(ctx context.Context, services []Service, stop func()) *sync.WaitGroup {
	var running sync.WaitGroup
	for _, service := range services {
		running.Go(func() {
			err := service.Run(ctx)
			if err != nil || ctx.Err() == nil {
				f.once.Do(func() { f.err = fmt.Errorf("%s ended: %w", service.Name, orUnexpected(err)) })
			}
			stop()
		})
	}
	return &running
}

// final returns the failure. What ends after this call is no failure any more.
func (f *failure) final() error {
	f.once.Do(func() {})
	return f.err
}

// waitWithGrace waits for the group as long as its grace is. What has not ended then ends with the process.
func waitWithGrace(running *sync.WaitGroup, cfg Config) {
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(cfg.Grace):
		cfg.Log.Warn("shutdown_forced", "note", "a service did not end in time", "grace_seconds", cfg.Grace.Seconds())
	}
}

// finishWork waits for the lag and drains the work under way, unless a service ends meanwhile.
func finishWork(servicesCtx context.Context, cfg Config) {
	cfg.Log.Info("shutdown_begin", "lag_seconds", cfg.Lag.Seconds(), "patience_seconds", cfg.Patience.Seconds())
	cfg.Leave()
	select {
	case <-servicesCtx.Done():
		return
	case <-time.After(cfg.Lag):
	}
	drainCtx, cancel := context.WithTimeout(servicesCtx, cfg.Patience)
	defer cancel()
	if err := cfg.Drain(drainCtx); err != nil {
		cfg.Log.Warn("shutdown_cut", "error", err)
	}
}

func orUnexpected(err error) error {
	if err != nil {
		return err
	}
	return errors.New("it stopped by itself")
}
