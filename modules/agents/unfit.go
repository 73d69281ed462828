package agents

// UnfitError is a system prompt that the model can't take, told in words for the client.
type UnfitError struct{ Reason string }

func (e *UnfitError) Error() string { return e.Reason }
