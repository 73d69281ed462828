// Agents with something to remember, and a name that tries to be a script.
export const evil = '<img src=x onerror=alert(1)><script>alert(2)</script>'

const subjects = ['the tides', 'steam engines', 'rye bread', 'lighthouses', 'moss', 'sailing', 'clocks', 'tea']
export const talk = (subject, sentences) => Array.from({ length: sentences }, (_, i) => `Point ${i + 1} about ${subject} is that it needs patience.`).join(' ')

export async function seed({ user }) {
  const agents = [['planner', 60], ['researcher', 260], ['reviewer', 35], ['support-7', 20], ['support-12', 12]]
  for (const [i, [agent, sentences]] of agents.entries()) {
    const { status, body } = await user.say(agent, talk(subjects[i % subjects.length], sentences))
    if (status !== 200) throw new Error(`seed ${agent}: ${status} ${JSON.stringify(body)}`)
  }
  await user.say('researcher', talk('maps', 40))
}
