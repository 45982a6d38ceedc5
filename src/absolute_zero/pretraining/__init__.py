"""The embedded base model: a grammar of small programs, documents about them, and a model trained on nothing else.

This is synthetic supervised training by a program. Of its documents 77 % are worked solutions and 23 % proposals, in
the templates of self-play: no human-written example is among them, yet a run that begins with this model does not
begin from nothing. It has been shown what proposals look like and how such tasks are solved.

Promises: the grammar (`grammar`) is the only source of the documents (`traces`) that `training` reads. Importing this
package imports nothing heavy. Floor 5.
"""
