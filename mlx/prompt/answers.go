package prompt

import (
	"strings"
	"unicode/utf8"

	"github.com/agent-memory/agent-memory/mlx/chat"
	"github.com/agent-memory/agent-memory/mlx/prefix"
	"github.com/agent-memory/agent-memory/mlx/tokenizer"
)

// Where the texts of the assistant's turns lie in a rendered prompt is found by rendering it again with marks
// at their ends: characters that Unicode sets aside and that the prompt does not have. A template that treats
// a marked text otherwise gives another prompt, and then nothing is found.

// marks are four characters that a text does not have. A text that begins with a thought has its mark behind what opens that:
// there templates look for thoughts, and write them anew.
type marks struct{ begin, thought, end, continued string }

// opensThought is how a text begins in which a model thinks first.
const opensThought = beginsThought + "\n"

// freeMarks chooses marks that text does not have, or returns false if it has nearly all that there are.
func freeMarks(text string) (m marks, ok bool) {
	var unused []string
	for r := '\uFDD1'; r <= '\uFDEF' && len(unused) < 4; r++ {
		if mark := string(r); !strings.Contains(text, mark) {
			unused = append(unused, mark)
		}
	}
	if len(unused) < 4 {
		return m, false
	}
	return marks{unused[0], unused[1], unused[2], unused[3]}, true
}

// answerPlaces are the places of texts in a prompt, in bytes.
type answerPlaces struct {
	answers   []prefix.Span // whole texts of the assistant's turns
	continued int           // where the last turn's text ends; -1 if that is not known
}

// findAnswers finds the assistant's texts in the prompt that was rendered from in. The last turn's is asked
// for if the answer is to go on with it.
func (r *Renderer) findAnswers(in chat.Prompt, rendered string, continues bool) answerPlaces {
	m, ok := freeMarks(rendered)
	if !ok {
		return answerPlaces{continued: -1}
	}
	// A template may trim texts: then the marks go inside of what it leaves.
	for _, around := range []func(string) (string, string, string){untrimmed, trimmed} {
		if found, ok := r.tryMarks(in, m, rendered, continues, around); ok {
			return found
		}
	}
	return answerPlaces{continued: -1}
}

func untrimmed(text string) (before, core, after string) { return "", text, "" }

func trimmed(text string) (before, core, after string) {
	left := strings.TrimLeft(text, " \t\r\n\v\f")
	core = strings.TrimRight(left, " \t\r\n\v\f")
	return text[:len(text)-len(left)], core, left[len(core):]
}

func (r *Renderer) tryMarks(in chat.Prompt, m marks, rendered string, continues bool, around func(string) (string, string, string)) (found answerPlaces, ok bool) {
	messages := make([]chat.Message, len(in.Messages))
	for i, message := range in.Messages {
		before, core, after := around(message.Content)
		if message.Role == "assistant" && len(message.ToolCalls) == 0 && core != "" {
			end := m.end
			if continues && i == len(messages)-1 {
				end = m.continued
			}
			begin, inside := m.begin, ""
			if said, thinks := strings.CutPrefix(core, opensThought); thinks && r.thoughts.Begin != "" {
				begin, inside, core = m.thought, opensThought, said
			}
			message.Content = before + inside + begin + core + end + after
		}
		messages[i] = message
	}
	in.Messages, in.Guard = messages, func(text string) string { return m.guard(text, r.tokens.Guard) }
	markedText, err := r.template.Prompt(in)
	if err != nil {
		return found, false
	}
	found, text := m.read(markedText)
	return found, text == rendered
}

// read takes the marks out of a text and tells where they were. An end without a beginning right before it,
// as of a text that was shortened, is none of an answer.
func (m marks) read(marked string) (found answerPlaces, text string) {
	var b strings.Builder
	begin := -1
	found.continued = -1
	for len(marked) > 0 {
		switch {
		case strings.HasPrefix(marked, m.begin):
			begin = b.Len()
		case strings.HasPrefix(marked, m.thought):
			if begin = -1; strings.HasSuffix(b.String(), opensThought) {
				begin = b.Len() - len(opensThought)
			}
		case strings.HasPrefix(marked, m.end) || strings.HasPrefix(marked, m.continued):
			if begin >= 0 {
				found.answers = append(found.answers, prefix.Span{From: begin, To: b.Len()})
			}
			if begin = -1; strings.HasPrefix(marked, m.continued) {
				found.continued = b.Len()
			}
		default:
			_, width := utf8.DecodeRuneInString(marked)
			b.WriteString(marked[:width])
			marked = marked[width:]
			continue
		}
		marked = marked[len(m.begin):] // all marks are of one length
	}
	return found, b.String()
}

// guard guards a text as it would be without the marks, and puts them where they were.
func (m marks) guard(text string, guard func(string) string) string {
	if !strings.ContainsAny(text, m.begin+m.thought+m.end+m.continued) {
		return guard(text)
	}
	guarded := guard(strings.NewReplacer(m.begin, "", m.thought, "", m.end, "", m.continued, "").Replace(text))
	var b strings.Builder
	for len(text) > 0 {
		_, width := utf8.DecodeRuneInString(text)
		character := text[:width]
		text = text[width:]
		switch character {
		case m.begin, m.thought, m.end, m.continued:
			b.WriteString(character)
		default:
			length := lengthGuarded(character, guarded)
			b.WriteString(guarded[:length])
			guarded = guarded[length:]
		}
	}
	return b.String()
}

// lengthGuarded is how many bytes of a guarded text its first character takes: a guard's own character is
// doubled, and behind others there may be a guard.
func lengthGuarded(character, guarded string) int {
	if character == tokenizer.GuardMark {
		return 2 * len(character)
	}
	rest, guards := guarded[len(character):], 0
	for strings.HasPrefix(rest[guards*len(tokenizer.GuardMark):], tokenizer.GuardMark) {
		guards++
	}
	return len(character) + guards%2*len(tokenizer.GuardMark)
}
