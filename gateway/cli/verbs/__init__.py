"""The signatures of the verbs, a module a kind of work; each verb imports what does it when it is called."""
