package messages

import "github.com/agent-memory/agent-memory/mlx/engine"

// SamplingFields say how tokens are to be chosen, as clients send it: the names are those of the APIs' fields. Nil leaves the
// server's default.
type SamplingFields struct {
	Temperature, TopP, MinP *float64
	TopK, Seed              *int64
	Presence, Frequency     *float64
	Bias                    map[int32]float32
	MostTemperature         float64 // that the API knows
}

// Sampling checks the fields. temperature is for a request that brings none.
func (f SamplingFields) Sampling(temperature float64) (engine.Sampling, error) {
	s := engine.Sampling{Temperature: temperature}
	for _, field := range []struct {
		name string
		from *float64
		most float64
		to   *float64
	}{{"temperature", f.Temperature, f.MostTemperature, &s.Temperature}, {"top_p", f.TopP, 1, &s.TopP}, {"min_p", f.MinP, 1, &s.MinP}} {
		if field.from == nil {
			continue
		}
		if *field.from < 0 || *field.from > field.most {
			return s, Refuse(Invalid, "%s: must be between 0 and %g", field.name, field.most)
		}
		*field.to = *field.from
	}
	for _, field := range []struct {
		name string
		from *float64
		to   *float64
	}{{"presence_penalty", f.Presence, &s.Presence}, {"frequency_penalty", f.Frequency, &s.Frequency}} {
		if field.from == nil {
			continue
		}
		if *field.from < -2 || *field.from > 2 {
			return s, Refuse(Invalid, "%s: must be between -2 and 2", field.name)
		}
		*field.to = *field.from
	}
	s.Bias = f.Bias
	if f.TopP != nil && *f.TopP == 0 {
		s.Temperature = 0 // nothing but the most likely token is left
	}
	if f.TopK != nil {
		if *f.TopK < 0 || *f.TopK > 1<<31-1 {
			return s, Refuse(Invalid, "top_k: must be between 0 and %d", 1<<31-1)
		}
		s.TopK = int(*f.TopK)
	}
	if f.Seed != nil {
		seed := uint64(*f.Seed)
		s.Seed = &seed
	}
	return s, nil
}
