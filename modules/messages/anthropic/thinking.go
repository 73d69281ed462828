package anthropic

// thinking says whether the model is to think before it answers. Kinds that are not known want it to.
type thinking struct {
	Type   string `json:"type"`
	Budget *int64 `json:"budget_tokens"`
}

// isWanted tells whether thoughts are asked for: nothing said is no.
func (t *thinking) isWanted() bool { return t != nil && t.Type != "" && t.Type != "disabled" }

// budget is the most tokens of thoughts; 0 for any number.
func (t *thinking) budget() int {
	if t.Budget == nil || *t.Budget < 0 || *t.Budget > 1<<31-1 {
		return 0
	}
	return int(*t.Budget)
}
