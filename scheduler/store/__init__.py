"""The only room that speaks SQL: one function per question or transition, its statement beside it."""
